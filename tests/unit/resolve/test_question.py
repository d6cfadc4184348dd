"""A lost question, a server without EDNS, a silent search domain: what can be answered is."""

import time

import dns.asyncresolver
import dns.message
import dns.rcode
import dns.resolver
import pytest

from ambassador.errors import ResolveError
from ambassador.resolve import question
from tests.unit.resolve.world import FOUR, SIX, World

pytestmark = pytest.mark.root


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_question_is_asked_again_within_the_time_given(serve, ask, lost):
    world = World()
    world.lose = lost
    serve(world)
    began = time.monotonic()
    assert set(ask("db").addresses) == {FOUR, SIX}
    assert time.monotonic() - began < question._OTHER_KIND


@pytest.mark.parametrize("answer", [dns.rcode.FORMERR, dns.rcode.NOTIMP, None])
def test_a_server_that_does_not_know_edns_is_asked_without(serve, ask, answer):
    serve(lambda name, kind, edns: answer if edns else [FOUR] if kind == "A" else [])
    assert ask("db").addresses == (FOUR,)


def test_more_addresses_than_fit_without_edns_need_no_tcp(serve, ask):
    many = [f"10.0.0.{n}" for n in range(1, 61)]
    serve(lambda name, kind, edns: many if kind == "A" else [])
    assert set(ask("db").addresses) == set(many)


def test_a_search_domain_that_is_silent_is_passed_over(serve, ask, resolv_conf, hasty):
    def say(name, kind, edns):
        if name == "db.silent.":
            return None
        return [FOUR] if (name, kind) == ("db.b.", "A") else dns.rcode.NXDOMAIN

    serve(say)
    resolv_conf.write_text("nameserver 127.0.0.1\nsearch silent b\n")
    assert ask("db").addresses == (FOUR,)
    with pytest.raises(ResolveError, match="do not answer"):  # and is no no
        resolv_conf.write_text("nameserver 127.0.0.1\nsearch silent c\n")
        ask("db")


def test_an_error_without_words_has_its_kind(serve, ask, monkeypatch):
    async def resolve(self, *_arguments, **_named):
        query = dns.message.make_query("db", "A")
        raise dns.resolver.NoNameservers(request=query, errors=[("s", False, 53, EOFError(), None)])

    monkeypatch.setattr(dns.asyncresolver.Resolver, "resolve", resolve)
    with pytest.raises(ResolveError, match="the name servers say EOFError"):
        ask("db.invalid")
