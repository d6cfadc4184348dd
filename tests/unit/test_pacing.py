"""Sessions ended at a rate or towards a deadline, on a clock that is put forward."""

import asyncio

import pytest

from ambassador.model import Existing, Fate
from ambassador.pacing import pace
from tests.clock import LoopWithClock, put_forward


def paced(items, existing, passed_over=(), seconds=20.0):
    """Return when each of `items` was ended, in tenths of a second, and what `pace` returned."""
    ended = []

    async def running():
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def cut(piece):
            still = [one for one in piece if one not in passed_over]
            ended.extend((one, round((loop.time() - began) * 10)) for one in still)
            return len(still)

        task = loop.create_task(pace(items, existing, cut, tick=0.1))
        for _ in range(round(seconds * 10)):
            for _ in range(5):
                await asyncio.sleep(0)
            if task.done():
                break
            put_forward(0.1)
        return await task

    with asyncio.Runner(loop_factory=LoopWithClock) as runner:
        count = runner.run(running())
    return dict(ended), count


def test_without_a_rate_all_are_ended_at_once():
    assert paced("abc", Existing(Fate.CUT)) == ({"a": 0, "b": 0, "c": 0}, 3)


def test_a_rate_spreads_the_ends_evenly():
    when, count = paced("abcd", Existing(Fate.CUT, rate=2.0))
    assert count == 4
    assert list(when) == ["a", "b", "c", "d"]
    assert [when[one] for one in "abcd"] == pytest.approx([0, 5, 10, 15], abs=1)


def test_one_that_is_passed_over_leaves_its_turn_to_the_next():
    when, count = paced("abcd", Existing(Fate.CUT, rate=2.0), passed_over="b")
    assert count == 3
    assert [when[one] for one in "acd"] == pytest.approx([0, 6, 10], abs=1)


def test_nothing_to_end_ends_at_once():
    assert paced("", Existing(Fate.CUT, rate=2.0)) == ({}, 0)


def test_what_cut_raises_ends_it():
    async def fails(piece):
        raise RuntimeError("no right to")

    with pytest.raises(RuntimeError, match="no right to"):
        asyncio.run(pace("ab", Existing(Fate.CUT), fails, tick=0.1))
