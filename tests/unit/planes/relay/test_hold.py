"""Who waits at a held route, on a clock that is put forward."""

import asyncio

from ambassador.model import Hold
from ambassador.planes.relay.hold import HoldQueue
from tests.clock import LoopWithClock, put_forward

HOLD = Hold(timeout=10.0, limit=3)


def run(body):
    with asyncio.Runner(loop_factory=LoopWithClock) as runner:
        runner.run(body())


class Waiting:
    def __init__(self):
        self.queue = HoldQueue()
        self.said = []

    def enter(self, who, hold=HOLD):
        opened, late = f"{who} opened", f"{who} late"
        return self.queue.enter(
            who, hold, lambda: self.said.append(opened), lambda: self.said.append(late)
        )

    async def later(self, seconds):
        put_forward(seconds)
        for _ in range(5):
            await asyncio.sleep(0)


def test_all_go_in_their_order_when_it_opens():
    async def body():
        it = Waiting()
        assert it.enter("a")
        assert it.enter("b")
        assert (len(it.queue), "a" in it.queue, it.queue.entered) == (2, True, 2)
        it.queue.change(None)
        assert it.said == ["a opened", "b opened"]
        assert (len(it.queue), it.queue.entered) == (0, 2)
        await it.later(11.0)
        assert len(it.said) == 2

    run(body)


def test_many_go_a_piece_at_a_time_and_others_have_their_turn():
    async def body():
        it = Waiting()
        for who in range(230):
            assert it.enter(who, Hold(timeout=10.0, limit=1000))
        it.queue.change(None)
        turns = [len(it.said)]
        while len(it.queue):
            await asyncio.sleep(0)
            turns.append(len(it.said))
        assert it.said == [f"{who} opened" for who in range(230)]
        assert len(turns) >= 5

    run(body)


def test_a_hold_in_the_middle_of_a_release_keeps_those_who_have_not_gone():
    async def body():
        it = Waiting()
        for who in range(200):
            it.enter(who, Hold(timeout=10.0, limit=1000))
        it.queue.change(None)
        it.queue.change(Hold(timeout=10.0, limit=1000))
        gone = len(it.said)
        await it.later(1.0)
        assert len(it.said) == gone < 200
        it.queue.change(None)
        while len(it.queue):
            await asyncio.sleep(0)
        assert len(it.said) == 200

    run(body)


def test_no_more_than_the_limit_and_who_leaves_makes_room():
    async def body():
        it = Waiting()
        assert [it.enter(who) for who in "abcd"] == [True, True, True, False]
        it.queue.leave("b")
        it.queue.leave("unknown")
        assert it.enter("d")
        it.queue.change(None)
        assert it.said == ["a opened", "c opened", "d opened"]

    run(body)


def test_the_oldest_are_late_first_each_after_its_own_time():
    async def body():
        it = Waiting()
        it.enter("a")
        await it.later(6.0)
        it.enter("b")
        await it.later(4.5)
        assert it.said == ["a late"]
        await it.later(5.0)
        assert it.said == ["a late"]
        await it.later(1.0)
        assert it.said == ["a late", "b late"]
        assert len(it.queue) == 0

    run(body)


def test_when_the_oldest_has_left_the_next_is_late_in_its_time():
    async def body():
        it = Waiting()
        it.enter("a")
        await it.later(6.0)
        it.enter("b")
        it.queue.leave("a")
        await it.later(4.5)
        assert it.said == []
        await it.later(6.0)
        assert it.said == ["b late"]

    run(body)


def test_a_shorter_hold_counts_for_those_who_wait_already():
    async def body():
        it = Waiting()
        it.enter("a")
        await it.later(5.0)
        it.queue.change(Hold(timeout=3.0))
        assert it.said == ["a late"]

    run(body)
