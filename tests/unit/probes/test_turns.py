"""Many things that are due at times of their own, and one timer."""

import asyncio

from ambassador.probes.turns import Turns
from tests.clock import LoopWithClock, put_forward


def test_what_is_due_is_called_in_order_and_not_before():
    loop, called = LoopWithClock(), []

    async def waiting():
        turns, began = Turns(), loop.time()

        def note(name):
            return lambda: called.append((name, round(loop.time() - began, 3)))

        turns.add(began + 5, note("five"))
        turns.add(began + 1, note("one"))
        turns.add(began + 1.01, note("with it"))
        turns.add(began + 0.5, lambda: turns.add(loop.time() + 1, note("later")))
        for _ in range(20):
            put_forward(0.1)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        turns.close()
        put_forward(9)
        await asyncio.sleep(0.01)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(waiting())
    assert [name for name, _ in called] == ["one", "with it", "later"]
    at = [when for _, when in called]
    assert 1.0 <= at[0] <= at[1] < 1.3
    assert 1.5 <= at[2] < 1.9
