"""Which endpoint is next: slowly to one that has just come, and by the client with hash."""

from collections import Counter
from dataclasses import replace

import pytest

from ambassador.model import Endpoint, Health, Inet, Pick, Proto, Resolve, Route
from ambassador.planes.relay.choice import affinity
from ambassador.planes.relay.live import LiveRoute
from tests.names import StaticResolver

A, B = (Endpoint(Inet(host, 6379)) for host in ("10.0.0.1", "10.0.0.2"))
ROUTE = Route("redis", Inet("", 6379), (A, B), slow_start=30.0)


def firsts(live, number=1000):
    return Counter(live.choose(0.0)[0].address for _ in range(number))


def bad(endpoint):
    return replace(endpoint, health=Health.UNHEALTHY)


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("ambassador.planes.relay.choice.time.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("pick", [Pick.ROUNDROBIN, Pick.LEAST, Pick.RANDOM])
def test_one_that_comes_back_gets_a_growing_part(clock, pick):
    looked = []
    live = LiveRoute(replace(ROUTE, pick=pick), look_again=lambda: looked.append(1))
    live.change(replace(ROUTE, pick=pick, endpoints=(A, bad(B))))
    live.change(replace(ROUTE, pick=pick))
    if pick is Pick.LEAST:  # who has just come has the fewest
        live.evidence[A.address].open = 9
    whole = 1000 if pick is Pick.LEAST else 500
    assert firsts(live)[B.address] < 0.3 * whole
    clock[0] += 15.0
    assert 0.3 * whole < firsts(live)[B.address] < 0.7 * whole
    clock[0] += 15.0
    looked.clear()
    assert firsts(live)[B.address] > 0.8 * whole
    assert looked  # workers may lead clients there from now on


def test_those_that_come_together_have_nobody_to_leave_clients_to(clock):
    live = LiveRoute(ROUTE)
    assert not live.warming.since
    live.change(replace(ROUTE, endpoints=(Endpoint(Inet("c", 1)), Endpoint(Inet("d", 1)))))
    assert not live.warming.since


def test_one_that_was_not_reached_comes_back_slowly(clock):
    live = LiveRoute(ROUTE)
    live.failed(A, "refused", 1.0)
    live.reached(A, 2.0)
    assert firsts(live)[A.address] < 200


def test_hash_leads_a_client_to_the_same_endpoint_and_goes_by_its_address_alone():
    live = LiveRoute(replace(ROUTE, slow_start=0.0, pick=Pick.HASH))
    clients = [f"10.1.0.{number}" for number in range(200)]
    chosen = {client: live.choose(0.0, client)[0] for client in clients}
    assert all(live.choose(0.0, client)[0] == chosen[client] for client in clients)
    assert 60 < sum(one == A for one in chosen.values()) < 140
    route = live.route
    assert affinity(route, ("10.1.0.1", 40000)) == affinity(route, ("::ffff:10.1.0.1", 5, 0, 0))
    assert affinity(route, "") == affinity(ROUTE, ("10.1.0.1", 40000)) == ""


def test_with_first_the_order_of_a_name_stands():
    resolver = StaticResolver(db=["10.0.0.9", "10.0.0.8"])
    route = Route("r", Inet("", 1), (Endpoint(Inet("db", 1)),), Proto.TCP, resolve=Resolve.FIRST)
    live = LiveRoute(route)
    assert {live.sure(1, resolver).address for _ in range(4)} == {"10.0.0.9"}
    every = LiveRoute(replace(route, resolve=Resolve.ALL))
    assert {every.sure(1, resolver).address for _ in range(4)} == {"10.0.0.9", "10.0.0.8"}
