import asyncio
import gc
import time
import weakref

import pytest
import uvloop

from ambassador.tasks import Coalesced, Slice, Sliced, spawn


def test_a_task_has_its_name_and_result():
    async def main():
        async def answer():
            return 42

        task = spawn(answer(), "answer")
        assert task.get_name() == "answer"
        assert await task == 42

    asyncio.run(main())


def test_a_task_nobody_holds_runs_to_its_end():
    async def main():
        done, futures = asyncio.Event(), weakref.WeakSet()

        async def work():
            waiting = asyncio.get_running_loop().create_future()
            futures.add(waiting)
            await waiting
            done.set()

        spawn(work(), "work")
        await asyncio.sleep(0)
        gc.collect()  # task, frame and future hold one another, and nobody else holds them
        (waiting,) = futures
        waiting.set_result(None)
        await asyncio.wait_for(done.wait(), 5)

    asyncio.run(main())


def test_a_crash_is_logged_when_it_happens(caplog):
    async def main():
        async def crash():
            raise ValueError("boom")

        task = spawn(crash(), "session redis")
        await asyncio.wait({task})

    asyncio.run(main())
    (record,) = caplog.records
    assert record.getMessage() == "task session redis failed"
    assert record.exc_info[0] is ValueError


def test_a_cancelled_task_says_nothing(caplog):
    async def main():
        task = spawn(asyncio.Event().wait(), "waiting")
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert caplog.records == []


def test_what_is_asked_for_too_often_is_done_once_more_and_no_oftener():
    async def main():
        begun, go = [], asyncio.Event()

        async def work():
            begun.append(len(begun))
            await go.wait()
            if len(begun) == 1:
                raise RuntimeError("the first fails")

        again = Coalesced(work, "work")
        for _ in range(200):
            again.ask()
            await asyncio.sleep(0)
        assert len(begun) == 1
        go.set()
        while len(begun) < 2:
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(begun) == 2
        again.ask()
        while len(begun) < 3:
            await asyncio.sleep(0)

    asyncio.run(main())


def test_long_work_in_slices_gives_way_when_a_slice_is_over():
    async def main():
        turns = []

        async def other():
            while True:
                turns.append(time.monotonic())
                await asyncio.sleep(0)

        others = spawn(other(), "other")
        await asyncio.sleep(0)
        piece, before = Slice(0.01), len(turns)
        await piece.end()  # not over yet
        assert len(turns) == before
        for _ in range(5):
            until = time.monotonic() + 0.011
            while time.monotonic() < until:
                pass
            await piece.end()
        assert len(turns) >= before + 5
        others.cancel()

    asyncio.run(main())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_all_who_work_share_one_slice_of_a_turn(run):
    worked, longest = 0, 0

    async def work():
        nonlocal worked
        piece = Slice(0.002)
        for _ in range(20):
            end = time.thread_time() + 0.0005
            while time.thread_time() < end:
                pass
            worked += 1
            await piece.end()

    async def main():
        nonlocal worked, longest
        works = [spawn(work(), "work") for _ in range(10)]
        while not all(one.done() for one in works):
            worked = 0
            await asyncio.sleep(0)
            longest = max(longest, worked)
        await asyncio.gather(*works)

    run(main())
    # ten that begin in one turn do one thing each; then there are four for all
    assert longest <= 15


def test_who_is_cancelled_while_another_works_leaves_its_turn_to_the_next():
    async def work():
        piece = Slice(0.0)
        for _ in range(3):
            await piece.end()
        return True

    async def main():
        works = [spawn(work(), "work") for _ in range(5)]
        await asyncio.sleep(0)
        works[0].cancel()
        works[2].cancel()
        done = await asyncio.wait_for(asyncio.gather(*works, return_exceptions=True), 5)
        assert [one is True for one in done] == [False, True, False, True, True]

    asyncio.run(main())


def test_items_are_worked_at_in_order_and_in_slices_though_one_fails(caplog):
    done, turns = [], []

    def work(item):
        over = time.monotonic() + 0.001
        while time.monotonic() < over:
            pass
        if item == 3:
            raise ValueError(item)
        done.append(item)

    async def main():
        queue = Sliced(work, "count")
        for item in range(20):
            queue.add(item)
        while len(done) < 19:
            await asyncio.sleep(0)
            turns.append(len(done))
        queue.add(20)
        queue.clear()
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert done == [item for item in range(20) if item != 3]
    assert len(set(turns)) >= 5  # 2 ms each
    assert "work at 3 failed" in caplog.text
