"""Former processes as a plane: what they are asked, what is made of it, what policies do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import replace

import pytest

from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute
from ambassador.core.wish import key_of
from ambassador.handover import process
from ambassador.handover.accounts import Legacy, account_of
from ambassador.handover.former import FormerPlane
from ambassador.handover.staying import Stayer
from ambassador.model import Admin, Endpoint, Existing, Fate, Health, Inet, Reason, Route
from ambassador.ports import SessionStatus
from ambassador.tasks import spawn
from tests.names import StaticResolver
from tests.planes import FakePlane

DB, OTHER = Endpoint(Inet("db", 5432)), Endpoint(Inet("10.0.0.9", 5432))
ROUTE = Route("db", Inet("", 5432), (DB,))


def session(name, endpoint=DB, address="10.0.0.2:5432", route=ROUTE, state="open"):
    return SessionStatus(name, route, "10.0.0.1:1", endpoint, address, 2.0, 3, 4, "relay", state)


class Scene:
    """A former plane, and at the other end of its connection a process with a fake one."""

    def __init__(self) -> None:
        self.resolver = StaticResolver()
        for host, address in (("db", "10.0.0.2"), ("10.0.0.9",) * 2, ("10.0.0.2",) * 2):
            self.resolver.answer(host, address)
        self.former = FormerPlane(self.resolver)
        self.plane = FakePlane("relay", opened=5, open=2, to_upstream=7, closed={Reason.CUT: 3})
        self.here, self.there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.there.setblocking(False)
        self.stayer = Stayer(self.there, self.plane, self.accounts)

    def accounts(self):
        return {key_of(one.route): account_of(one) for one in self.plane.status()}

    def status(self):
        (status,) = self.former.status([ROUTE])
        return status


@pytest.fixture
def run():
    """Run a test with a scene in which the process answers."""

    def running(test, answers=True):
        async def main():
            scene = Scene()
            await scene.plane.apply([AddRoute(ROUTE)])
            await scene.former.apply([AddRoute(ROUTE)])
            scene.former.take_over(Legacy(live=scene.accounts()), scene.here, [])
            answering = spawn(scene.stayer.run() if answers else asyncio.sleep(60), "it")
            try:
                async with asyncio.timeout(10):
                    await test(scene)
            finally:
                answering.cancel()
                await asyncio.wait({answering})
                await scene.former.close()
                scene.there.close()

        asyncio.run(main())

    return running


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


def test_what_it_has_counted_is_there_at_once_and_again_when_it_is_asked(run):
    async def test(scene):
        assert (scene.status().opened, scene.status().closed) == (5, {Reason.CUT: 3})
        assert len(scene.former.processes) == 1
        scene.plane.numbers["opened"] = 6
        assert scene.status().opened == 5
        await scene.former.measure()
        assert scene.status().opened == 6

    run(test)


def test_its_sessions_are_listed_and_cut_by_names_of_their_own(run):
    async def test(scene):
        gone = Route("gone", Inet("", 1), (OTHER,))
        scene.plane.open = [session("r1.1"), session("r2.1", None, "", gone)]
        (one, other) = await scene.former.sessions()
        pid = scene.former.processes[0][0]
        assert one == replace(session("r1.1"), id=f"r1.1@{pid}")
        assert (other.route.name, other.endpoint) == ("gone", None)
        assert await scene.former.sessions([ROUTE]) == [one]
        assert await scene.former.cut(["r1.1", "r1.1@1", f"r1.1@{pid}x"], Reason.CUT) == 0
        assert await scene.former.cut([one.id], Reason.DRAINED) == 1
        assert scene.plane.cuts == [("r1.1", Reason.DRAINED)]

    run(test)


def test_when_it_has_ended_its_counters_stay_and_its_sessions_do_not(run):
    async def test(scene):
        scene.plane.numbers |= {"opened": 9, "open": 0}
        await scene.stayer.farewell()
        await until(lambda: not scene.former.processes)
        assert (scene.status().opened, scene.status().open) == (9, 0)
        assert await scene.former.sessions() == []

    run(test, answers=False)


def test_when_it_has_died_what_was_known_last_counts(run):
    async def test(scene):
        scene.there.close()
        await until(lambda: not scene.former.processes)
        assert (scene.status().opened, scene.status().open) == (5, 0)

    run(test, answers=False)


def test_one_that_does_not_answer_keeps_nobody_waiting_for_long(run, monkeypatch):
    monkeypatch.setattr(process, "_PATIENCE", 0.05)

    async def test(scene):
        await scene.former.measure()
        assert scene.status().opened == 5
        assert await scene.former.sessions() == []
        assert await scene.former.cut([f"r1@{scene.former.processes[0][0]}"], Reason.CUT) == 0

    run(test, answers=False)


@pytest.mark.parametrize("answer", [b"[]", b"{", b'[{}, {"tcp :1": 7}]', b'[{"x": {}}, {"y": {}}]'])
def test_one_that_answers_rubbish_is_told_of_and_changes_nothing(run, answer, monkeypatch, caplog):
    monkeypatch.setattr(Legacy, "encode", lambda _self: answer)
    monkeypatch.setattr("ambassador.handover.staying.encode_sessions", lambda _: answer + b"7")

    async def test(scene):
        await scene.former.measure()
        assert scene.status().opened == 5
        assert await scene.former.sessions() == []

    run(test)
    assert "make no sense" in caplog.text


def test_a_route_that_was_removed_counts_from_nothing(run):
    async def test(scene):
        await scene.former.apply([RemoveRoute(ROUTE)])
        await scene.former.apply([AddRoute(ROUTE)])
        assert (scene.status().opened, scene.status().open) == (0, 2)
        scene.plane.numbers["opened"] = 6
        await scene.former.measure()
        assert scene.status().opened == 1

    run(test)


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
        await scene.former.apply([step])
        await until(lambda: len(scene.plane.cuts) == 2)
        assert set(scene.plane.cuts) == {("r1.1", reason), ("r1.2", reason)}
        await scene.former.sessions()
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
        await scene.former.apply([ChangeRoute(ROUTE, new)])
        # a later policy does not reach back to who was kept
        await scene.former.apply([ChangeRoute(new, replace(new, existing=CUT))])
        for _ in range(5):
            await scene.former.sessions()
        assert scene.plane.cuts == []

    run(test)


def test_who_has_its_endpoint_again_before_the_deadline_is_spared(run):
    async def test(scene):
        scene.plane.open = [session("r1.1")]
        moved = replace(ROUTE, endpoints=(OTHER,), existing=Existing(Fate.DRAIN, seconds=0.1))
        await scene.former.apply([ChangeRoute(ROUTE, moved)])
        await scene.former.apply([ChangeRoute(moved, ROUTE)])
        endings = asyncio.all_tasks() - {asyncio.current_task()}
        ending = [task for task in endings if task.get_name() == "ending of db"]
        assert ending
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(ending)
        assert scene.plane.cuts == []

    run(test)


def test_routes_that_lead_elsewhere_than_before_the_upgrade_are_seen_at_once(run):
    async def test(scene):
        scene.plane.open = [session("r1.1", OTHER, "10.0.0.9:5432")]
        scene.former._routes[key_of(ROUTE)] = replace(ROUTE, existing=CUT)
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        scene.former.take_over(Legacy(), one, [])
        other.close()
        await until(lambda: scene.plane.cuts == [("r1.1", Reason.MOVED)])

    run(test)
