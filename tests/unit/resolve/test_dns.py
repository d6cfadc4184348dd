"""NameServers asks a real name server, on a network where it is the only one."""

import contextlib
import socket
import threading
import time

import dns.message
import dns.rdatatype
import pytest

from ambassador.errors import ResolveError
from ambassador.resolve import question as module
from ambassador.resolve.answer import Answer
from ambassador.resolve.dns import NameServers

pytestmark = pytest.mark.root


@pytest.fixture
def ask(net, resolv_conf):
    servers = NameServers(resolv_conf)
    return lambda name: net.run_loop(servers.ask(name))


@pytest.fixture
def hasty(monkeypatch):
    """Wait for name servers that do not answer only as long as a test may."""
    monkeypatch.setattr(module, "_ONE_QUERY", 0.1)
    monkeypatch.setattr(module, "_ALL_QUERIES", 0.3)


def test_addresses_of_both_kinds_ipv4_first(dns, ask):
    dns.say(both=("fd00::1", "10.0.0.1", "10.0.0.2"), four="10.0.0.4", six=("fd00::6", "fd00::7"))
    both = ask("both")
    assert set(both.addresses) == {"10.0.0.1", "10.0.0.2", "fd00::1"}
    assert both.addresses[-1] == "fd00::1"
    assert ask("four") == Answer(("10.0.0.4",), 20)
    assert set(ask("six").addresses) == {"fd00::6", "fd00::7"}
    assert ask("FOUR.").addresses == ("10.0.0.4",)


@pytest.mark.parametrize(("said", "kept"), [(0, 1), (1, 1), (29, 29), (700, 30)])
def test_the_ttl_is_kept_within_a_second_and_half_a_minute(start_dns, ask, said, kept):
    start_dns(ttl=said).say(db="10.0.0.1")
    assert ask("db").ttl == kept


def test_a_cname_is_followed_and_its_ttl_counts(start_dns, ask):
    start_dns("--local=/#/", "--cname=www,web,7", "--cname=web,db,25").say(db="10.0.0.1")
    assert ask("www") == Answer(("10.0.0.1",), 7)
    assert ask("web") == Answer(("10.0.0.1",), 20)


def test_an_answer_too_long_for_a_datagram_is_asked_for_again_by_tcp(dns, ask):
    many = tuple(f"10.0.{i // 250}.{i % 250}" for i in range(400))
    dns.say(many=many)
    assert set(ask("many").addresses) == set(many)


def test_a_name_that_does_not_exist(dns, ask):
    with pytest.raises(ResolveError, match=r"^nobody has no address: there is no such name$"):
        ask("nobody")
    dns.say(nobody="10.0.0.1")
    assert ask("nobody").addresses == ("10.0.0.1",)


def test_a_name_without_addresses(start_dns, ask):
    start_dns("--local=/#/", "--txt-record=text,hello")
    with pytest.raises(ResolveError, match=r"^text has no address: the name has none in DNS$"):
        ask("text")


def test_name_servers_that_refuse(start_dns, ask):
    start_dns("--no-negcache")  # knows no other name server to ask
    with pytest.raises(ResolveError, match=r"^db has no address: the name servers say REFUSED$"):
        ask("db")


def test_names_only_the_system_knows_are_asked_of_it_last(dns, ask):
    assert "127.0.0.1" in ask("localhost").addresses
    dns.say(localhost="10.0.0.1")
    assert ask("localhost").addresses == ("10.0.0.1",)


@pytest.mark.parametrize("away", ["stop", "freeze"])
def test_name_servers_that_do_not_answer(dns, ask, hasty, away):
    getattr(dns, away)()
    with pytest.raises(ResolveError, match=r"^db: the name servers do not answer$"):
        ask("db")


@pytest.fixture
def deaf_for(net, dns, resolv_conf):
    """Put a name server before the real one that does not answer one kind of question."""
    with contextlib.ExitStack() as stack:

        def put(kind: str) -> None:
            near, far = (
                stack.enter_context(net.call(socket.socket, type=socket.SOCK_DGRAM)) for _ in "12"
            )
            near.bind(("127.0.0.3", 53))
            far.settimeout(5)
            far.connect((dns.address, 53))
            thread = threading.Thread(target=pass_on, args=(near, far, kind))
            thread.start()
            stack.callback(thread.join)
            stack.callback(far.close)
            stack.callback(near.sendto, b"", near.getsockname())
            resolv_conf.write_text("nameserver 127.0.0.3\n")

        yield put


def pass_on(near, far, deaf_for):
    while True:
        question, client = near.recvfrom(65535)
        if not question:
            return
        if dns.message.from_wire(question).question[0].rdtype != dns.rdatatype.from_text(deaf_for):
            far.send(question)
            near.sendto(far.recv(65535), client)


@pytest.mark.parametrize(
    ("kind", "found"),
    [("AAAA", {"10.0.0.1"}), ("A", {"fd00::1"}), ("TXT", {"10.0.0.1", "fd00::1"})],
)
def test_a_kind_that_is_not_answered_costs_a_second(dns, deaf_for, ask, kind, found):
    dns.say(db=("10.0.0.1", "fd00::1"))
    deaf_for(kind)
    began = time.monotonic()
    assert set(ask("db").addresses) == found
    assert time.monotonic() - began < 2


def test_the_second_name_server_answers_when_the_first_does_not(start_dns, ask, hasty, resolv_conf):
    first, second = start_dns(address="127.0.0.1"), start_dns(address="127.0.0.2")
    resolv_conf.write_text("nameserver 127.0.0.1\nnameserver 127.0.0.2\n")
    second.say(db="10.0.0.2")
    first.freeze()
    assert ask("db").addresses == ("10.0.0.2",)


@pytest.mark.parametrize(
    ("options", "name", "address"),
    [
        ("search one.test two.test", "db", "10.0.0.1"),
        ("search two.test one.test", "db", "10.0.0.2"),
        ("search two.test one.test", "only", "10.0.0.3"),
        ("search one.test", "db.", "10.0.0.9"),
        ("search one.test", "db.deep", "10.0.0.5"),  # has a dot: asked as it is first
        ("search one.test\noptions ndots:2", "db.deep", "10.0.0.4"),
        ("search one.test\noptions ndots:0", "db", "10.0.0.9"),  # Docker's own
        ("search one.test\noptions ndots:0", "only", "10.0.0.3"),
        ("search three.test\noptions ndots:5", "db.deep", "10.0.0.5"),
    ],
)
def test_search_domains_and_ndots(dns, ask, resolv_conf, options, name, address):
    dns.say(
        db="10.0.0.9",
        db__deep="10.0.0.5",
        db__one__test="10.0.0.1",
        db__two__test="10.0.0.2",
        only__one__test="10.0.0.3",
        db__deep__one__test="10.0.0.4",
    )
    resolv_conf.write_text(f"nameserver 127.0.0.1\n{options}\n")
    assert ask(name).addresses == (address,)


def test_a_changed_resolv_conf_is_used_at_once(start_dns, ask, resolv_conf):
    start_dns(address="127.0.0.1").say(db="10.0.0.1")
    start_dns(address="127.0.0.2").say(db="10.0.0.2")
    assert ask("db").addresses == ("10.0.0.1",)
    resolv_conf.write_text("nameserver 127.0.0.2\n")
    assert ask("db").addresses == ("10.0.0.2",)
    resolv_conf.unlink()
    with pytest.raises(ResolveError, match=r"/resolv\.conf: "):
        ask("db")
    resolv_conf.write_text("nameserver 127.0.0.1\n")
    assert ask("db").addresses == ("10.0.0.1",)


@pytest.mark.parametrize(
    "text",
    ["", "nameserver\n", "nameserver ns.test\n", "nameserver 127.0.0.1\nsearch a..b\n", "\0"],
)
def test_a_resolv_conf_that_makes_no_sense_leaves_what_the_system_knows(ask, resolv_conf, text):
    resolv_conf.write_text(text)
    assert "127.0.0.1" in ask("localhost").addresses
    with pytest.raises(ResolveError, match=r"^db has no address: .*resolv.conf: "):
        ask("db")


def test_a_binary_resolv_conf_too(ask, resolv_conf):
    resolv_conf.write_bytes(b"nameserver \xff\xfe\n")
    assert "127.0.0.1" in ask("localhost").addresses
