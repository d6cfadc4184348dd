"""Sessions that an operator wants ended, on a clock that is put forward."""

import asyncio
import json
from dataclasses import replace

import pytest

from ambassador.control.deadlines import Deadlines, of_endpoint
from ambassador.core.ending import decode, encode
from ambassador.errors import PlaneError
from ambassador.model import Endpoint, Existing, Fate, Inet, Proto, Reason, Route
from ambassador.ports import SessionStatus
from tests.clock import LoopWithClock, put_forward
from tests.planes import FakePlane

A, B = Endpoint(Inet("a", 1)), Endpoint(Inet("b", 1))
REDIS = Route("redis", Inet("", 6379), (A, B))
PLACE = (Proto.TCP, REDIS.listen), A.address
DRAIN = 10.0  # seconds


def session(number, endpoint=A, route=REDIS):
    return SessionStatus(
        f"r{number}", route, "10.0.0.1:1", endpoint, "10.0.0.2:1", 1.0, 0, 0, "relay", "open"
    )


class Scene:
    def __init__(self, count):
        self.plane = FakePlane()
        self.plane.open = [session(number) for number in range(count)]
        self.changes = 0
        self.endings = self.deadlines()

    def deadlines(self):
        return Deadlines(self.plane.sessions, self.plane.cut, self._changed)

    def _changed(self):
        self.changes += 1

    def succeeded(self):
        """Have another process go on, as what is written tells it."""
        text = json.dumps(encode(self.endings.endings))
        self.endings.close()
        self.endings = self.deadlines()
        self.endings.resume(decode(json.loads(text)))

    async def later(self, seconds):
        """Let `seconds` pass, in small steps, with turns of the loop in between."""
        for _ in range(round(seconds / 0.1)):
            put_forward(0.1)
            for _ in range(5):
                await asyncio.sleep(0)

    @property
    def left(self):
        return len(self.plane.open)


def run(body, count=10):
    async def running():
        scene = Scene(count)
        await body(scene)
        scene.endings.close()

    with asyncio.Runner(loop_factory=LoopWithClock) as runner:
        runner.run(running())


def test_a_cut_without_a_rate_is_done_at_once():
    async def body(scene):
        await scene.endings.cut(["r1", "r2"], Existing(Fate.CUT), Reason.CUT)
        assert scene.plane.cuts == [("r1", Reason.CUT), ("r2", Reason.CUT)]

    run(body)


def test_a_rate_is_kept():
    async def body(scene):
        ids = [one.id for one in scene.plane.open]
        await scene.endings.cut(ids, Existing(Fate.CUT, rate=5), Reason.CUT)
        await scene.later(1.0)
        assert 4 <= scene.left <= 6
        await scene.later(1.2)
        assert scene.left == 0

    run(body)


def test_a_drain_cuts_in_its_last_part_what_the_endpoint_has_then():
    async def body(scene):
        scene.endings.drain(PLACE, DRAIN, "redis")
        await scene.later(7.0)
        scene.plane.open = [*scene.plane.open[:4], session(77, B)]
        await scene.later(0.5)
        assert scene.left == 5
        await scene.later(1.6)
        assert 2 <= scene.left <= 4
        await scene.later(1.2)
        assert [one.id for one in scene.plane.open] == ["r77"]
        assert {reason for _, reason in scene.plane.cuts} == {Reason.DRAINED}

    run(body)


@pytest.mark.parametrize(
    "spare",
    [
        lambda endings: endings.spare([PLACE]),
        lambda endings: endings.keep_only([]),
        lambda endings: endings.close(),
    ],
)
def test_who_is_spared_lives(spare):
    async def body(scene):
        scene.endings.drain(PLACE, DRAIN, "redis")
        await scene.later(5.0)
        spare(scene.endings)
        await scene.later(10.0)
        assert scene.left == 10

    run(body)


def test_others_are_not_spared():
    async def body(scene):
        scene.endings.drain(PLACE, DRAIN, "redis")
        scene.endings.keep_only([PLACE])
        scene.endings.spare([((Proto.UDP, REDIS.listen), A.address)])
        await scene.later(10.5)
        assert scene.left == 0

    run(body)


def test_a_second_drain_takes_the_place_of_the_first():
    async def body(scene):
        scene.endings.drain(PLACE, DRAIN, "redis")
        await scene.later(5.0)
        scene.endings.drain(PLACE, DRAIN, "redis")
        await scene.later(5.5)
        assert scene.left == 10
        await scene.later(5.0)
        assert scene.left == 0

    run(body)


def test_a_plane_that_cannot_is_told_in_the_log(caplog):
    async def body(scene):
        async def cannot(_ids, _reason):
            raise PlaneError("CAP_NET_RAW is missing")

        endings = Deadlines(scene.plane.sessions, cannot, lambda: None)
        await endings.cut(["r1"], Existing(Fate.CUT, rate=5), Reason.CUT)
        await scene.later(0.2)
        assert [record.event for record in caplog.records] == ["not_cut"]

    run(body)


def test_whose_a_session_is():
    assert of_endpoint(session(1), PLACE)
    assert not of_endpoint(session(1, B), PLACE)
    assert not of_endpoint(session(1, None), PLACE)
    assert not of_endpoint(session(1, A, Route("other", Inet("", 1), (A,))), PLACE)


def test_what_is_under_sentence_is_known_and_its_end_is_said(caplog):
    caplog.set_level("INFO", "ambassador")

    async def body(scene):
        ids = [one.id for one in scene.plane.open]
        assert await scene.endings.cut(ids[:4], Existing(Fate.CUT, rate=4), Reason.CUT) == 0
        assert [scene.endings.leaving(one) for one in scene.plane.open] == [True] * 4 + [False] * 6
        await scene.later(1.2)
        assert not any(map(scene.endings.leaving, scene.plane.open))
        scene.endings.drain(PLACE, DRAIN, "redis")
        assert all(map(scene.endings.leaving, scene.plane.open))
        assert not scene.endings.leaving(session(77, B))
        await scene.later(10.5)

    run(body)
    said = {r.event: r.getMessage() for r in caplog.records if hasattr(r, "event")}
    assert said["cut_done"] == "the cut at 4 a second is done: 4 sessions were cut"
    assert said["drained"] == "a:1 of redis is drained: 6 sessions were cut at the deadline"


def test_a_drain_that_nobody_is_left_of_names_its_route_all_the_same(caplog):
    caplog.set_level("INFO", "ambassador")

    async def main(scene):
        scene.plane.open = []
        scene.endings.drain(PLACE, DRAIN, "redis")
        await scene.later(10.5)

    run(main)
    (said,) = [one.getMessage() for one in caplog.records if one.event == "drained"]
    assert " of redis is drained: 0 sessions were cut at the deadline" in said


def test_another_process_keeps_the_deadline_of_a_drain():
    async def body(scene):
        scene.endings.drain(PLACE, DRAIN, "redis")
        await scene.later(6.0)
        scene.succeeded()
        assert scene.endings.leaving(scene.plane.open[0])
        await scene.later(1.5)
        assert scene.left == 10
        await scene.later(1.5)
        assert 2 <= scene.left <= 7
        scene.succeeded()  # in its last part
        await scene.later(1.2)
        assert scene.left == 0
        assert scene.endings.endings == ()

    run(body)


def test_another_process_cuts_on_at_the_rate():
    async def body(scene):
        ids = [one.id for one in scene.plane.open]
        await scene.endings.cut(ids, Existing(Fate.CUT, rate=5), Reason.CUT)
        await scene.later(1.0)
        assert 4 <= scene.left <= 6
        before = scene.left
        scene.succeeded()
        await scene.later(0.3)
        assert before - 3 <= scene.left < before
        await scene.later(1.2)
        assert scene.left == 0
        assert scene.endings.endings == ()

    run(body)


def test_sessions_that_stayed_in_the_old_process_are_cut_too():
    async def body(scene):
        ids = [one.id for one in scene.plane.open]
        await scene.endings.cut(ids, Existing(Fate.CUT, rate=1), Reason.CUT)
        scene.plane.open = [replace(one, id=f"{one.id}@4711") for one in scene.plane.open]
        scene.succeeded()
        await scene.later(12)
        assert scene.left == 0

    run(body)


def test_each_change_is_told():
    async def body(scene):
        scene.endings.drain(PLACE, DRAIN, "redis")
        assert scene.changes == 1
        scene.endings.spare([PLACE])
        assert scene.changes == 2
        await scene.endings.cut(["r1"], Existing(Fate.CUT, rate=5), Reason.CUT)
        assert scene.changes == 3
        await scene.later(0.5)
        assert scene.changes == 4

    run(body)
