"""The ring of what happened, and those who follow it."""

import asyncio
import threading

import pytest

from ambassador import log
from ambassador.control.events import Events
from ambassador.tasks import spawn


def run(body, capacity=1000):
    async def running():
        events = Events(capacity)
        try:
            await asyncio.wait_for(body(events), 10)
        finally:
            events.close()

    asyncio.run(running())


def tell(count, name="moved"):
    for number in range(count):
        log.event(log.INFO, name, f"number {number}", place=number)


def test_events_are_numbered_and_kept_with_what_they_say():
    async def body(events):
        assert events.last == 0
        tell(2)
        first, second = events.since(0)
        assert (first.number, second.number, events.last) == (1, 2, 2)
        assert (first.event, first.level, first.message) == ("moved", "info", "number 0")
        assert first.fields == {"place": 0}
        assert first.time <= second.time
        assert events.since(1) == (second,)
        assert events.since(2) == ()

    run(body)


def test_whatever_the_level_of_the_log_info_and_above_are_kept(caplog):
    caplog.set_level("ERROR", "ambassador")

    async def body(events):
        log.event(log.DEBUG, "detail", "no")
        tell(1)
        log.event(log.WARNING, "warned", "yes")
        assert [event.event for event in events.since(0)] == ["moved", "warned"]

    run(body)


def test_the_oldest_are_forgotten_and_the_gap_is_seen():
    async def body(events):
        tell(5)
        assert [event.number for event in events.since(1)] == [3, 4, 5]

    run(body, capacity=3)


def test_who_waits_is_told_at_once_and_who_is_behind_does_not_wait():
    async def body(events):
        waiting = [spawn(events.wait(0), "reader") for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(one.done() for one in waiting)
        tell(1)
        for one in waiting:
            assert [event.number for event in await one] == [1]
        assert [event.number for event in await events.wait(0)] == [1]

    run(body)


def test_what_a_thread_tells_arrives_too():
    async def body(events):
        thread = threading.Thread(target=tell, args=(1, "from a thread"))
        thread.start()
        (event,) = await events.wait(0)
        assert event.event == "from a thread"
        thread.join()

    run(body)


def test_closed_it_hears_no_more_and_lets_readers_go():
    async def body(events):
        waiting = spawn(events.wait(0), "reader")
        await asyncio.sleep(0)
        events.close()
        assert await waiting == ()
        tell(1)
        assert events.last == 0
        events.close()

    run(body)


@pytest.mark.parametrize("times", [1, 2])
def test_who_follows_the_log_can_stop(times):
    heard = []
    unfollow = log.follow(lambda *event: heard.append(event))
    tell(1)
    for _ in range(times):
        unfollow()
    tell(1)
    assert heard == [(log.INFO, "moved", "number 0", {"place": 0})]
