import asyncio
import logging
import time

import pytest

from ambassador.errors import ResolveError
from ambassador.model import Endpoint, Inet, Pick, Route, Unix
from ambassador.planes.relay.doubts import DOUBT
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.live import LiveRoute
from tests.names import StaticResolver

RESOLVER = StaticResolver()
A, B = (Endpoint(Inet(host, 6379)) for host in ("10.0.0.1", "10.0.0.2"))


def state(*endpoints, **options):
    return LiveRoute(Route("redis", Inet("", 6379), endpoints or (A, B), **options))


def at(endpoint):
    return Candidate(endpoint, endpoint.address.host, endpoint.address.port)


def events(caplog):
    return [record.event for record in caplog.records if hasattr(record, "event")]


def test_each_choice_is_the_next_turn():
    route = state()
    assert [route.choose(0.0) for _ in range(3)] == [[A, B], [B, A], [A, B]]


def test_one_endpoint_is_always_the_choice():
    route = state(A)
    route.failed(A, "refused", 1.0)
    assert route.choose(1.0) == [A]


def test_an_endpoint_that_failed_is_tried_last_for_a_while():
    route = state(pick=Pick.FIRST)
    route.failed(A, "refused", 10.0)
    assert route.choose(10.0) == [B, A]
    assert route.choose(10.0 + DOUBT - 0.1) == [B, A]
    assert route.choose(10.0 + DOUBT) == [A, B]


def test_an_endpoint_that_was_reached_is_trusted_again():
    route = state(pick=Pick.FIRST)
    route.failed(A, "refused", 10.0)
    route.reached(A, 10.5)
    assert route.choose(11.0) == [A, B]


def test_least_counts_what_is_opened_and_closed():
    route = state(pick=Pick.LEAST)
    counted = route.opened(at(A))
    assert route.choose(0.0) == [B, A]
    route.closed(counted, at(A))
    assert route.choose(0.0) == [A, B]


def test_a_change_keeps_what_is_known_of_endpoints_that_stay():
    route = state(pick=Pick.FIRST)
    route.failed(A, "refused", 1.0)
    route.change(Route("redis", Inet("", 6379), (A, Endpoint(Inet("db", 1))), pick=Pick.FIRST))
    assert route.choose(1.0)[-1] == A


def test_a_session_of_an_endpoint_that_left_and_came_back_still_counts():
    route = state(pick=Pick.LEAST)
    both = route.route
    first, second = route.opened(at(A)), route.opened(at(A))
    route.change(Route("redis", Inet("", 6379), (B,), pick=Pick.LEAST))
    route.change(both)
    assert route.choose(0.0) == [B, A]
    route.closed(first, at(A))
    third = route.opened(at(B))
    route.closed(second, at(A))
    assert route.choose(0.0) == [A, B]
    route.closed(third, at(B))
    assert route.choose(0.0) == [A, B]  # both at zero, none below


def test_what_is_said_of_an_endpoint_that_left_is_not_heard(caplog):
    route = state(A)
    route.failed(B, "refused", 1.0)
    route.reached(B, 2.0)
    assert route.opened(at(B)) is None
    assert events(caplog) == []


def test_the_last_session_of_an_endpoint_that_left_takes_what_is_known_of_it_along():
    route = state()
    counted = route.opened(at(A))
    route.failed(A, "refused", 1.0)
    route.change(Route("redis", Inet("", 6379), (B,)))
    assert route.open_by_endpoint == {A.address: 1, B.address: 0}
    assert route.sure(6379, RESOLVER).endpoint == B  # what failed is no longer there
    route.change(Route("redis", Inet("", 6379), (A,)))
    assert route.sure(6379, RESOLVER) is None
    route.change(Route("redis", Inet("", 6379), (B,)))
    route.closed(counted, at(A))
    assert route.open_by_endpoint == {B.address: 0}


def test_what_is_known_is_sure_and_made_once():
    route = state(A)
    sure = route.sure(6379, RESOLVER)
    assert (sure.endpoint, sure.address, sure.port) == (A, "10.0.0.1", 6379)
    assert route.sure(6379, RESOLVER) is sure
    route.change(Route("redis", Inet("", 6379), (B,)))
    assert route.sure(6379, RESOLVER).endpoint == B


def test_a_name_is_sure_while_its_answer_is_fresh_and_follows_it():
    named = Endpoint(Inet("cache", 7000))
    route, resolver = state(named), StaticResolver(cache=["10.0.0.5", "10.0.0.6"])
    assert route.sure(6379, resolver).address == "10.0.0.5"
    resolver.answer("cache", "10.0.0.7")
    assert str(route.sure(6379, resolver)) == "10.0.0.7:7000"
    speak = asyncio.run(silenced(resolver))
    assert route.sure(6379, resolver) is None
    speak()
    assert state(Endpoint(Inet("nobody", 1))).sure(6379, resolver) is None


async def silenced(resolver):
    return resolver.silence("cache")


def test_of_several_each_has_its_turn_unless_one_is_unknown():
    route = state(A, B)
    assert [route.sure(6379, RESOLVER).endpoint for _ in range(4)] == [A, B, A, B]
    route.change(Route("redis", Inet("", 6379), (A, Endpoint(Inet("nobody", 1)))))
    assert route.sure(6379, RESOLVER) is None


def test_after_a_failure_nothing_is_sure_until_it_is_reached_again():
    route = state(A, B)
    route.failed(A, "refused", 1.0)
    assert route.sure(6379, RESOLVER) is None
    route.reached(A, 2.0)
    candidate = route.sure(6379, RESOLVER)
    route.address_failed(candidate, 3.0)
    assert route.sure(6379, RESOLVER) is None
    route.address_answered(candidate)
    assert route.sure(6379, RESOLVER) is not None


def test_an_address_that_failed_and_is_no_longer_there_is_not_in_the_way_for_ever():
    route = state(A)
    route.address_failed(Candidate(A, "10.0.0.9", 6379), 100.0)
    there = [Candidate(A, "10.0.0.1", 6379)]
    assert route.trusted_first(there, 100.0 + DOUBT) == there
    assert route.sure(6379, RESOLVER) is None
    assert route.trusted_first(there, 100.0 + 2 * DOUBT) == there
    assert route.sure(6379, RESOLVER) is not None


def test_an_endpoint_that_left_and_came_back_while_it_was_connected_to_is_known_once():
    route = state(A)
    slow = route.sure(6379, RESOLVER)
    route.change(Route("redis", Inet("", 6379), (B,)))
    route.change(Route("redis", Inet("", 6379), (A, B)))
    counted = route.opened(slow)
    other = route.opened(Candidate(A, "10.0.0.1", 6379))
    assert route.open_by_endpoint == {A.address: 2, B.address: 0}
    route.closed(counted, at(A))
    route.closed(other, at(A))
    assert route.open_by_endpoint == {A.address: 0, B.address: 0}
    assert {*route.choose(0.0)} == {A, B}


def test_a_path_and_a_port_of_a_range_are_sure():
    path = Endpoint(Unix("/run/redis.sock"))
    assert str(state(path).sure(6379, RESOLVER)) == "unix:///run/redis.sock"
    route = LiveRoute(Route("redis", Inet("", 6379, 6381), (Endpoint(Inet("10.0.0.1", 100)),)))
    assert [route.sure(port, RESOLVER).port for port in (6381, 6379, 6381)] == [102, 100, 102]
    assert LiveRoute(Route("redis", Inet("", 1), ())).sure(1, RESOLVER) is None


def test_a_failure_and_its_end_are_each_said_once(caplog):
    caplog.set_level(logging.INFO, "ambassador")
    route = state()
    route.reached(A, 0.0)
    for moment in (1.0, 2.0, 3.0):
        route.failed(A, "10.0.0.1:6379: connection refused", moment)
    route.reached(A, 4.25)
    route.reached(A, 5.0)
    assert events(caplog) == ["endpoint_unreachable", "endpoint_reachable"]
    first, second = caplog.records
    assert first.getMessage() == ("redis  cannot reach tcp://10.0.0.1:6379: connection refused")
    assert first.fields == {
        "route": "redis",
        "endpoint": "tcp://10.0.0.1:6379",
        "reason": "connection refused",
    }
    assert second.fields["seconds"] == 3.25
    assert "3.2 s after it first failed" in second.getMessage()


def test_candidates_are_the_addresses_of_the_name():
    async def ask():
        route = state(Endpoint(Inet("db", 5432)))
        resolver = StaticResolver(db=["10.0.0.7", "fd00::7"])
        return await route.candidates(route.route.endpoints[0], 6379, resolver)

    assert [str(candidate) for candidate in asyncio.run(ask())] == [
        "10.0.0.7:5432",
        "[fd00::7]:5432",
    ]


def test_a_candidate_of_a_range_has_the_port_that_belongs_to_the_listen_port():
    ranged = Endpoint(Inet("10.0.0.1", 7000, 7009))
    route = LiveRoute(Route("ftp", Inet("", 2000, 2009), (ranged,)))
    (candidate,) = asyncio.run(_candidates(route, 2004))
    assert candidate.port == 7004


def test_a_unix_endpoint_is_one_candidate_and_asks_nobody():
    route = state(Endpoint(Unix("/run/redis.sock")))
    resolver = StaticResolver()
    (candidate,) = asyncio.run(_candidates(route, 6379, resolver))
    assert candidate == Candidate(route.route.endpoints[0], "/run/redis.sock", 0)
    assert str(candidate) == "unix:///run/redis.sock"
    assert resolver.asked == []


def test_a_name_without_an_address_is_an_error():
    with pytest.raises(ResolveError, match="db has no address"):
        asyncio.run(_candidates(state(Endpoint(Inet("db", 1))), 6379))


async def _candidates(route, port, resolver=None):
    return await route.candidates(route.route.endpoints[0], port, resolver or StaticResolver())


def test_an_address_that_did_not_answer_is_tried_last_and_then_by_one_client():
    route = state(A)
    first, second = Candidate(A, "10.0.0.1", 6379), Candidate(A, "10.0.0.2", 6379)
    both = [first, second]
    assert route.trusted_first(both, 0.0) == both
    route.address_failed(first, 1.0)
    assert route.trusted_first(both, 1.0) == [second, first]
    assert route.trusted_first(both, 1.0 + DOUBT) == both  # it is this client's to find out
    assert route.trusted_first(both, 1.0 + DOUBT) == [second, first]
    route.address_answered(first)
    assert route.trusted_first(both, 1.0 + DOUBT) == both


def test_only_the_port_that_failed_is_doubted_and_where_there_is_no_choice_none_is():
    route = state(A)
    first, other = Candidate(A, "10.0.0.1", 6379), Candidate(A, "10.0.0.1", 6380)
    route.address_failed(first, 1.0)
    assert route.trusted_first([other, first], 1.0) == [other, first]
    assert route.trusted_first([first], 1.0) == [first]


def test_addresses_that_failed_long_ago_are_forgotten():
    route = state(A)
    for number in range(100):
        route.address_failed(Candidate(A, f"10.0.0.{number}", 1), float(number))
    assert len(route._doubts) <= 2 * DOUBT + 1


def test_who_listens_hears_of_each_failure_and_of_the_first_success_after_it():
    heard = []
    route = LiveRoute(Route("redis", Inet("", 6379), (A, B)), lambda *news: heard.append(news))
    route.reached(A, 1.0)
    route.address_answered(Candidate(A, "10.0.0.1", 6379))
    assert heard == []
    for now in (2.0, 3.0):
        route.failed(A, "refused", now)
    route.reached(A, 4.0)
    route.reached(A, 5.0)
    assert heard == [("redis", A, "", False)] * 2 + [("redis", A, "", True)]
    heard.clear()
    route.address_failed(Candidate(B, "10.0.0.2", 6379), 6.0)
    for _ in range(2):
        route.address_answered(Candidate(B, "10.0.0.2", 6379))
    assert heard == [("redis", B, "10.0.0.2", False), ("redis", B, "10.0.0.2", True)]


def test_what_clients_have_met_is_kept_for_each_endpoint():
    route = state()
    (known,) = (route.opened(Candidate(A, "10.0.0.1", 6379)),)
    route.failed(A, "10.0.0.1:6379 does not answer", 1.0)
    met = route.met({A.address: (5, 7)})[A.address]
    assert (met.opened, met.to_upstream, met.to_client) == (1, 5, 7)
    assert (met.failures, met.error, met.failing) == (1, "it does not answer", True)
    assert abs(met.failed - time.time()) < 60
    route.closed(known, at(A), 50, 70)
    route.reached(A, 2.0)
    met = route.met({})[A.address]
    assert (met.opened, met.to_upstream, met.to_client) == (1, 50, 70)
    assert (met.failures, met.error, met.failing) == (1, "it does not answer", False)
