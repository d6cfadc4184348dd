"""What nft did not take is tried again, at first soon and then less often."""

import asyncio

import pytest

from ambassador.planes.kernel import retries
from ambassador.planes.kernel.retries import Retries


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(retries, "_FIRST", 0.01)
    monkeypatch.setattr(retries, "_MOST", 0.04)


def test_all_that_failed_is_tried_at_once_after_a_pause():
    async def trying():
        tried = asyncio.Queue()
        it = Retries(tried.put_nowait)
        it.failed(["a"])
        it.failed(["b", "a"])
        assert await tried.get() == {"a", "b"}
        it.close()
        it.failed(["c"])
        await asyncio.sleep(0.05)
        assert tried.empty()

    asyncio.run(trying())


def test_the_pause_doubles_up_to_the_most_and_begins_anew_after_a_success():
    async def trying():
        loop, pauses, over = asyncio.get_running_loop(), [], asyncio.Event()
        before = loop.time()

        def again(_routes):
            nonlocal before
            pauses.append(loop.time() - before)
            before = loop.time()
            if len(pauses) == 5:
                it.succeeded()
            if len(pauses) == 6:
                over.set()
            else:
                it.failed(["a"])

        it = Retries(again)
        it.failed(["a"])
        await over.wait()
        it.close()
        return pauses

    pauses = asyncio.run(trying())
    for took, least in zip(pauses, (0.01, 0.02, 0.04, 0.04, 0.04), strict=False):
        assert took >= least
    assert pauses[5] < pauses[4]
