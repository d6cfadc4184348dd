"""Earlier processes as a plane: what they are asked, and what is made of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ambassador.core.plan import AddRoute, RemoveRoute
from ambassador.handover import process
from ambassador.handover.counters import HandedCounters
from ambassador.model import Inet, Reason, Route
from tests.unit.handover.earlier_scene import OTHER, ROUTE, session, until


def test_what_it_has_counted_is_there_at_once_and_again_when_it_is_asked(run):
    async def test(scene):
        assert (scene.status().opened, scene.status().closed) == (5, {Reason.CUT: 3})
        assert len(scene.earlier.processes) == 1
        scene.plane.numbers["opened"] = 6
        assert scene.status().opened == 5
        await scene.earlier.measure()
        assert scene.status().opened == 6

    run(test)


def test_its_sessions_are_listed_and_cut_by_names_of_their_own(run):
    async def test(scene):
        gone = Route("gone", Inet("", 1), (OTHER,))
        scene.plane.open = [session("r1.1"), session("r2.1", None, "", gone)]
        (one, other) = await scene.earlier.sessions()
        pid = scene.earlier.processes[0][0]
        assert one == replace(session("r1.1"), id=f"r1.1@{pid}")
        assert (other.route.name, other.endpoint) == ("gone", None)
        assert await scene.earlier.sessions([ROUTE]) == [one]
        assert await scene.earlier.cut(["r1.1", "r1.1@1", f"r1.1@{pid}x"], Reason.CUT) == 0
        assert await scene.earlier.cut([one.id], Reason.DRAINED) == 1
        assert scene.plane.cuts == [("r1.1", Reason.DRAINED)]

    run(test)


def test_when_it_has_ended_its_counters_stay_and_its_sessions_do_not(run):
    async def test(scene):
        scene.plane.numbers |= {"opened": 9, "open": 0}
        await scene.answers.farewell()
        await until(lambda: not scene.earlier.processes)
        assert (scene.status().opened, scene.status().open) == (9, 0)
        assert await scene.earlier.sessions() == []

    run(test, answers=False)


def test_when_it_has_died_what_was_known_last_counts(run):
    async def test(scene):
        scene.there.close()
        await until(lambda: not scene.earlier.processes)
        assert (scene.status().opened, scene.status().open) == (5, 0)

    run(test, answers=False)


def test_one_that_does_not_answer_keeps_nobody_waiting_for_long(run, monkeypatch):
    monkeypatch.setattr(process, "_PATIENCE", 0.05)

    async def test(scene):
        await scene.earlier.measure()
        assert scene.status().opened == 5
        assert await scene.earlier.sessions() == []
        assert await scene.earlier.cut([f"r1@{scene.earlier.processes[0][0]}"], Reason.CUT) == 0

    run(test, answers=False)


@pytest.mark.parametrize("answer", [b"[]", b"{", b'[{}, {"tcp :1": 7}]', b'[{"x": {}}, {"y": {}}]'])
def test_one_that_answers_rubbish_is_told_of_and_changes_nothing(run, answer, monkeypatch, caplog):
    monkeypatch.setattr(HandedCounters, "encode", lambda _self: answer)
    monkeypatch.setattr("ambassador.handover.predecessor.encode_sessions", lambda _: answer + b"7")

    async def test(scene):
        await scene.earlier.measure()
        assert scene.status().opened == 5
        assert await scene.earlier.sessions() == []

    run(test)
    assert "make no sense" in caplog.text


def test_a_route_that_was_removed_counts_from_nothing(run):
    async def test(scene):
        await scene.earlier.apply([RemoveRoute(ROUTE)])
        await scene.earlier.apply([AddRoute(ROUTE)])
        assert (scene.status().opened, scene.status().open) == (0, 2)
        scene.plane.numbers["opened"] = 6
        await scene.earlier.measure()
        assert scene.status().opened == 1

    run(test)
