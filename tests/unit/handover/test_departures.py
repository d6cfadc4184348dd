"""Sessions of earlier processes whose endpoint leaves follow the policy of their route."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import replace

import pytest

from ambassador.core.plan import ChangeRoute, RemoveRoute
from ambassador.handover.counters import HandedCounters
from ambassador.model import Admin, Endpoint, Existing, Fate, Health, Inet, Reason
from tests.unit.handover.earlier_scene import DB, OTHER, ROUTE, session, until

CUT, DRAIN = Existing(Fate.CUT), Existing(Fate.DRAIN, seconds=0.2)
MAINT, SICK = replace(DB, admin=Admin.MAINT), replace(DB, health=Health.UNHEALTHY)
LEFT = {
    "moved": (ChangeRoute(ROUTE, replace(ROUTE, endpoints=(OTHER,), existing=CUT)), Reason.MOVED),
    "moved once": (ChangeRoute(ROUTE, replace(ROUTE, endpoints=(OTHER,)), CUT), Reason.MOVED),
    "drained": (
        ChangeRoute(ROUTE, replace(ROUTE, endpoints=(OTHER,), existing=DRAIN)),
        Reason.MOVED,
    ),
    "at a rate": (
        ChangeRoute(ROUTE, replace(ROUTE, endpoints=(OTHER,)), Existing(Fate.CUT, rate=1000)),
        Reason.MOVED,
    ),
    "maint": (ChangeRoute(ROUTE, replace(ROUTE, endpoints=(MAINT,), existing=CUT)), Reason.MAINT),
    "health": (
        ChangeRoute(ROUTE, replace(ROUTE, endpoints=(SICK,), existing=CUT)),
        Reason.UNHEALTHY,
    ),
    "removed": (RemoveRoute(replace(ROUTE, existing=CUT)), Reason.REMOVED),
}


@pytest.mark.parametrize(("step", "reason"), LEFT.values(), ids=LEFT)
def test_who_has_no_endpoint_any_longer_follows_the_policy(run, step, reason):
    async def test(scene):
        stays = session("r1.9", OTHER, "10.0.0.9:5432")
        scene.plane.open = [session("r1.1"), session("r1.2"), session("r1.3", state="leaving")]
        if reason is Reason.MOVED:
            scene.plane.open.append(stays)
        await scene.earlier.apply([step])
        await until(lambda: len(scene.plane.cuts) == 2)
        assert set(scene.plane.cuts) == {("r1.1", reason), ("r1.2", reason)}
        await scene.earlier.sessions()
        assert len(scene.plane.cuts) == 2

    run(test)


@pytest.mark.parametrize(
    "new",
    [
        replace(ROUTE, endpoints=(OTHER,)),
        replace(ROUTE, endpoints=(Endpoint(Inet("10.0.0.2", 5432)), OTHER), existing=CUT),
        replace(ROUTE, endpoints=(Endpoint(Inet("unknown", 5432)),), existing=CUT),
    ],
    ids=["kept", "the same by another name", "not known"],
)
def test_who_may_stay_stays(run, new):
    async def test(scene):
        scene.plane.open = [session("r1.1"), session("r1.2", None, "", state="waiting")]
        await scene.earlier.apply([ChangeRoute(ROUTE, new)])
        # a later policy does not reach back to who was kept
        await scene.earlier.apply([ChangeRoute(new, replace(new, existing=CUT))])
        for _ in range(5):
            await scene.earlier.sessions()
        assert scene.plane.cuts == []

    run(test)


def test_who_has_its_endpoint_again_before_the_deadline_is_spared(run):
    async def test(scene):
        scene.plane.open = [session("r1.1")]
        moved = replace(ROUTE, endpoints=(OTHER,), existing=Existing(Fate.DRAIN, seconds=0.5))
        await scene.earlier.apply([ChangeRoute(ROUTE, moved)])
        await scene.earlier.apply([ChangeRoute(moved, ROUTE)])
        endings = asyncio.all_tasks() - {asyncio.current_task()}
        ending = [task for task in endings if task.get_name() == "departures of db"]
        assert ending
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(ending)
        assert scene.plane.cuts == []

    run(test)


def test_routes_that_lead_elsewhere_than_before_the_upgrade_are_seen_at_once(run):
    async def test(scene):
        scene.plane.open = [session("r1.1", OTHER, "10.0.0.9:5432")]
        scene.earlier._routes[ROUTE.key] = replace(ROUTE, existing=CUT)
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        scene.earlier.take_over(HandedCounters(), one, [])
        other.close()
        await until(lambda: scene.plane.cuts == [("r1.1", Reason.MOVED)])

    run(test)
