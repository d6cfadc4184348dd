"""Where one ambassador leads a service, cell by cell."""

import pytest

from ambassador.core.fleet.destination import canaries, destination, is_canary, mark, put
from ambassador.core.fleet.picture import Seen, Service
from ambassador.core.fleet.records import Announced, Trial, Word
from ambassador.model import Endpoint, Existing, Fate, Hold, Inet, Proto, Route

A, B, C = (Endpoint(Inet(f"10.0.0.{n}", 6379)) for n in (1, 2, 3))
U = Endpoint(Inet("10.0.0.1", 53), Proto.UDP)
WORD = Seen(5, Word((A,), Existing(Fate.CUT), "ann"))
MARK = mark("me")


def trial(kind, up_to="", endpoints=(B,)):
    return Seen(6, Trial(endpoints, kind, up_to, None, "ann"))


@pytest.mark.parametrize(
    ("service", "endpoints", "own", "revision", "asked", "tried"),
    [
        (Service("s"), (), True, 0, False, False),
        (Service("s", WORD), (A,), False, 5, True, False),
        (Service("s", announced=(Announced(B), Announced(C))), (B, C), False, 0, False, False),
        (Service("s", WORD, announced=(Announced(B),)), (A,), False, 5, True, False),
        (Service("s", Seen(7, Word())), (), True, 7, False, False),
        (Service("s", Seen(7, Word()), announced=(Announced(C),)), (C,), False, 7, True, False),
        (Service("s", WORD, trial("canary", MARK)), (B,), False, 6, True, False),
        (Service("s", WORD, trial("canary", "0" * 16)), (A,), False, 5, True, False),
        (Service("s", WORD, trial("hold")), (B,), False, 6, True, True),
        (Service("s", None, trial("hold", endpoints=())), (), True, 6, True, True),
        (Service("s", announced=(Announced(B), Announced(B))), (B,), False, 0, False, False),
        (Service("s", announced=(Announced(U), Announced(B))), (B,), False, 0, False, False),
    ],
)
def test_the_trial_comes_before_the_word_and_the_word_before_what_is_announced(
    service, endpoints, own, revision, asked, tried
):
    there = destination(service, "me")
    assert (there.endpoints, there.own, there.revision) == (endpoints, own, revision)
    assert (there.asked, there.tried) == (asked, tried)


def test_a_route_of_udp_goes_to_endpoints_of_udp():
    service = Service("s", announced=(Announced(U), Announced(B)))
    assert destination(service, "me", Proto.UDP).endpoints == (U,)


def test_the_policy_for_open_sessions_is_that_of_the_word():
    assert destination(Service("s", WORD), "me").existing == Existing(Fate.CUT)


@pytest.mark.parametrize(
    ("count", "percent", "chosen"), [(1, 5, 1), (10, 5, 1), (10, 25, 3), (200, 5, 10), (7, 100, 7)]
)
def test_a_share_is_at_least_one_and_just_those_it_means(count, percent, chosen):
    names = [f"host-{n}" for n in range(count)]
    up_to, found = canaries(names, percent)
    assert len(found) == chosen
    assert [name for name in names if is_canary(name, up_to)] == sorted(found, key=names.index)


def test_a_route_has_the_endpoints_of_its_service_and_waits_where_there_are_none():
    route = Route("s", Inet("", 1), (C,), service="s", connect=2.0)
    there = put(route, (A, B), waits=False)
    assert (there.endpoints, there.members, there.placed, there.hold) == ((A, B), (C,), True, None)
    assert put(route, None, waits=False).endpoints == (C,)
    assert put(route, (), waits=False).hold == Hold(2.0, 100_000)
    assert put(route, (A,), waits=True).hold.timeout > 30
