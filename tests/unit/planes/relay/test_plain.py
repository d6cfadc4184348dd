"""What a worker is told of where clients are led to, and when it is told nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.core import pick
from ambassador.model import Endpoint, Hold, Inet, Pick, Route, Unix
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.plain import plain
from tests.names import StaticResolver

A, B, C = (Endpoint(Inet(f"10.0.0.{number}", 6379)) for number in (1, 2, 3))


def found(*endpoints, own=False, resolver=None, **options):
    live = LiveRoute(Route("redis", Inet("", 6379), endpoints or (A, B), **options))
    resolver = resolver or StaticResolver()
    return plain(live, 6379, resolver, lambda address, port: own and address == "127.0.0.1")


def test_places_and_addresses_are_told_in_turn():
    told = found(replace(A, weight=2), B)
    assert told.turns == (0, 1, 0)
    assert [[one.address for one in ways] for ways in told.places] == [["10.0.0.1"], ["10.0.0.2"]]
    assert (told.random, told.alternatives) == (False, True)
    assert found(A).alternatives is False
    assert found(Endpoint(Unix("/run/a"))).places[0][0].port == 0
    assert found(pick=Pick.RANDOM).random
    assert found(pick=Pick.FIRST).turns == (0,)


@pytest.mark.parametrize(
    "options",
    [
        {"hold": Hold()},
        {"source": ("10.0.0.9",)},
        {"pick": Pick.LEAST},
    ],
    ids=lambda options: next(iter(options)),
)
def test_nothing_is_told_where_each_client_has_to_be_looked_at(options):
    assert found(**options) is None


def test_nothing_is_told_while_something_is_in_doubt_or_unknown_or_leads_here():
    live = LiveRoute(Route("redis", Inet("", 6379), (A, B)))
    assert plain(live, 6379, StaticResolver(), lambda *_: False)
    live.failed(A, "refused", 1.0)
    assert plain(live, 6379, StaticResolver(), lambda *_: False) is None
    assert found(Endpoint(Inet("nowhere", 6379))) is None
    assert found(Endpoint(Inet("127.0.0.1", 6379)), own=True) is None


@given(
    st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=5),
    st.sampled_from([Pick.ROUNDROBIN, Pick.FIRST]),
)
def test_whom_a_worker_leads_to_is_whom_the_relay_would(kinds, word):
    endpoints = tuple(
        Endpoint(Inet(f"10.0.0.{number + 1}", 6379), weight=weight, backup=backup)
        for number, (weight, backup) in enumerate(kinds)
    )
    turns = found(*endpoints, pick=word).turns
    places = pick.cycle([endpoint.weight for endpoint in endpoints])
    for turn in range(2 * len(places)):
        first, *_ = pick.order(
            endpoints,
            word,
            turn=turn,
            places=places,
            open_sessions=[0] * len(endpoints),
            failed=[False] * len(endpoints),
            chance=0.0,
        )
        assert turns[turn % len(turns)] == first
