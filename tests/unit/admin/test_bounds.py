import asyncio
import socket
from types import SimpleNamespace

import pytest

from ambassador.admin.bounds import Bounds, Followers, Pace, Shared
from ambassador.admin.tcp import monitor_door
from ambassador.core.phase import Phase
from ambassador.model import Inet
from ambassador.tasks import spawn


def test_so_many_requests_are_answered_at_one_time():
    bounds = Bounds(2)
    with bounds:
        assert not bounds.full
        with bounds:
            assert bounds.full
        assert not bounds.full


def test_requests_that_come_too_fast_wait():
    async def work():
        pace, loop = Pace(100.0), asyncio.get_running_loop()
        began = loop.time()
        for _ in range(50):  # half a second's worth
            await pace.turn()
        at_once = loop.time() - began
        for _ in range(10):
            await pace.turn()
        return at_once, loop.time() - began - at_once

    at_once, then = asyncio.run(work())
    assert at_once < 0.05
    assert then > 0.05


def test_a_follower_counts_until_it_has_gone():
    async def lines():
        yield "a"
        yield "b"

    async def work():
        followers = Followers(1)
        following = followers.counted(lines())
        assert await anext(following) == "a"
        assert followers.full
        await following.aclose()
        assert not followers.full

    asyncio.run(work())


def test_those_who_ask_at_one_time_share_an_answer_that_is_begun_after_they_asked():
    made = []

    async def work():
        begin = asyncio.Event()

        async def make():
            made.append(len(made))
            await begin.wait()
            return b"%d" % made[-1]

        shared = Shared(make)
        first = spawn(shared(), "ask")
        while not made:
            await asyncio.sleep(0)
        others = [spawn(shared(), "ask") for _ in range(5)]
        await asyncio.sleep(0)
        begin.set()
        return await first, await asyncio.gather(*others)

    assert asyncio.run(work()) == (b"0", [b"1"] * 5)


def test_a_failure_is_told_to_all_and_the_next_one_is_tried():
    async def work():
        answers = [ValueError("bad"), b"good"]

        async def make():
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        shared = Shared(make)
        with pytest.raises(ValueError, match="bad"):
            await shared()
        return await shared()

    assert asyncio.run(work()) == b"good"


@pytest.mark.parametrize("how", ["door", "loop"])
def test_a_scrape_under_way_at_the_end_is_refused_and_is_no_bug(caplog, how):
    async def work():
        begun = asyncio.Event()

        async def measure():
            begun.set()
            await asyncio.Event().wait()

        reconciler = SimpleNamespace(measure=measure, phase=Phase.READY)
        door = monitor_door(Inet("127.0.0.1", 0), reconciler, measure)
        await door.start()
        with socket.create_connection(door.sock.getsockname()) as client:
            client.setblocking(False)
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            await begun.wait()
            if how == "loop":  # it ends with all of its tasks
                for task in asyncio.all_tasks() - {asyncio.current_task()}:
                    task.cancel()
            await door.stop()
            return client.recv(65536)

    answer = asyncio.run(work())
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"ask again" in answer
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
