import asyncio
import time

import pytest

from ambassador.resolve.turns import Turns
from ambassador.tasks import spawn


def test_a_lone_question_does_not_wait():
    async def work():
        turns = Turns(pause=10)
        await asyncio.wait_for(turns.begin("a", urgent=False), 1)
        turns.end()

    asyncio.run(work())


def test_many_questions_are_begun_one_after_the_other():
    async def work():
        turns = Turns(pause=0.01)
        began = time.monotonic()
        await asyncio.gather(*(turns.begin(str(number), urgent=False) for number in range(10)))
        return time.monotonic() - began

    assert asyncio.run(work()) >= 0.08


def test_no_more_than_so_many_are_under_way():
    async def work():
        turns = Turns(pause=0.0, most=2)
        for name in "ab":
            await turns.begin(name, urgent=False)
        third = spawn(turns.begin("c", urgent=False), "third")
        await asyncio.sleep(0.02)
        assert not third.done()
        turns.end()
        await asyncio.wait_for(third, 1)

    asyncio.run(work())


@pytest.mark.parametrize("afterwards", [False, True])
def test_a_name_a_client_waits_for_goes_first(afterwards):
    async def work():
        turns, order = Turns(pause=0.001, most=1), []
        await turns.begin("first", urgent=False)

        async def ask(name, urgent):
            await turns.begin(name, urgent=urgent)
            order.append(name)
            turns.end()

        asked = [spawn(ask(name, False), name) for name in ("a", "b")]
        asked.append(spawn(ask("client", not afterwards), "client"))
        await asyncio.sleep(0.01)
        if afterwards:
            turns.hurry("client")
        turns.end()
        await asyncio.gather(*asked)
        return order

    assert asyncio.run(work()) == ["client", "a", "b"]


def test_one_that_gives_up_takes_no_turn():
    async def work():
        turns = Turns(pause=0.0, most=1)
        await turns.begin("first", urgent=False)
        gone = spawn(turns.begin("gone", urgent=False), "gone")
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait({gone})
        last = spawn(turns.begin("last", urgent=False), "last")
        turns.end()
        await asyncio.wait_for(last, 1)

    asyncio.run(work())
