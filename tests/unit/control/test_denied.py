"""Sessions of clients that may not come in any longer, on a clock that is put forward."""

import asyncio
from dataclasses import replace

from ambassador.control.denied import Denied
from ambassador.control.stack import PlaneStack
from ambassador.core.admission import admitted
from ambassador.core.plan import AddRoute, ChangeRoute
from ambassador.model import Endpoint, Existing, Fate, Inet, Reason, Route
from ambassador.ports import SessionStatus
from ambassador.spec import parse_existing
from ambassador.spec.networks import network_of
from tests.clock import LoopWithClock, put_forward
from tests.planes import FakePlane

ENDPOINT = Endpoint(Inet("a", 1))
OPEN = Route("redis", Inet("", 6379), (ENDPOINT,))
LISTED = replace(OPEN, admitted=admitted([network_of("10.0.0.0/8"), network_of("fd00::/8")], ()))
CLIENTS = ("10.0.0.9:1", "[fd00::9]:1", "192.0.2.1:1", "[2001:db8::1]:1", "192.0.2.2:1")


def run(before, after, *, look=1.0):
    """Return whose sessions are cut in `look` seconds after a change."""

    async def running():
        plane = FakePlane()
        plane.open = [
            SessionStatus(name, OPEN, name, ENDPOINT, "", 1.0, 0, 0, "relay", "open")
            for name in CLIENTS
        ]
        denied = Denied(PlaneStack(plane, ()))
        step = AddRoute(after) if before is None else ChangeRoute(before, after)
        await denied.changed([step])
        for _ in range(round(look / 0.05)):
            put_forward(0.05)
            for _ in range(5):
                await asyncio.sleep(0)
        denied.close()
        assert {reason for _, reason in plane.cuts} <= {Reason.DENIED}
        return [name for name, _ in plane.cuts]

    with asyncio.Runner(loop_factory=LoopWithClock) as runner:
        return runner.run(running())


def test_just_those_that_are_not_admitted_are_cut():
    assert sorted(run(OPEN, LISTED)) == sorted(CLIENTS[2:])


def test_a_route_that_comes_finds_those_that_an_earlier_process_let_in():
    assert sorted(run(None, LISTED)) == sorted(CLIENTS[2:])


def test_nobody_is_looked_for_where_nothing_has_changed_or_everybody_may_come():
    assert run(LISTED, replace(LISTED, connect=1.0)) == []
    assert run(LISTED, OPEN) == []


def test_a_drain_leaves_them_its_time():
    drained = replace(LISTED, existing=Existing(Fate.DRAIN, seconds=10.0))
    assert run(OPEN, drained, look=7.0) == []
    assert len(run(OPEN, drained, look=10.0)) == 3


def test_a_rate_spreads_them():
    slow = replace(LISTED, existing=Existing(Fate.CUT, rate=1))
    assert len(run(OPEN, slow, look=0.5)) == 1


def test_they_stay_only_where_that_is_said_of_this_cause():
    assert len(run(OPEN, replace(LISTED, existing=parse_existing("keep,moved=cut")))) == 3
    assert run(OPEN, replace(LISTED, existing=parse_existing("cut,denied=keep"))) == []
