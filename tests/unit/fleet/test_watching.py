"""What stands in etcd, kept up to date through whatever happens to it."""

import asyncio
import contextlib
import time
from pathlib import Path

import pytest

from ambassador.core.fleet.records import Applied
from ambassador.fleet.access import Access
from ambassador.fleet.connection import Url
from ambassador.fleet.etcd import Etcd
from ambassador.fleet.presence import Presence
from ambassador.fleet.requests import delete, put
from ambassador.fleet.watching import LONGEST, SHORTEST, Watching, pause
from tests.etcd import Member

pytestmark = pytest.mark.asyncio
WITHIN = 15.0


class Watcher:
    """A watching under way, and what it has told."""

    def __init__(self, member, keys):
        self.told = asyncio.Event()
        self.client = member.client()
        self.watching = Watching(self.client, keys, self._told)
        self._task = None

    async def _told(self, _values):
        self.told.set()

    async def __aenter__(self):
        await self.watching.start()
        self._task = asyncio.get_running_loop().create_task(self.watching.run())
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self.client.close()

    async def until(self, condition):
        async with asyncio.timeout(WITHIN):
            while not condition(self.watching):
                self.told.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await self.told.wait()


async def test_what_stands_there_is_read_once_and_every_change_is_told(member, keys):
    client, key = member.client(), keys.word("a")
    await client.change((), (put(key, "1"),), key)
    async with Watcher(member, keys) as watcher:
        assert watcher.watching.values[key].text == "1"
        for text in "23456":
            await client.change((), (put(key, text),), key)
            await watcher.until(lambda w, text=text: w.values[key].text == text)
        await client.change((), (delete(key),), key)
        await watcher.until(lambda w: key not in w.values)
        assert (watcher.watching.fresh, watcher.watching.problem) == (1, "")
    client.close()


async def test_what_was_missed_while_etcd_was_away_comes_with_the_next_watch(keys, tmp_path: Path):
    member = Member(tmp_path).start()
    key = keys.word("a")
    try:
        member.put(key, "1")
        async with Watcher(member, keys) as watcher:
            await watcher.until(lambda w: w.values)
            member.kill()
            await watcher.until(lambda w: w.problem)
            assert watcher.watching.since > 0
            assert watcher.watching.values[key].text == "1"  # it stands
            member.start()
            member.put(key, "2")
            await watcher.until(lambda w: w.values[key].text == "2")
            await watcher.until(lambda w: not w.problem)
            assert (watcher.watching.since, watcher.watching.fresh) == (0.0, 1)
    finally:
        member.stop()


async def test_where_what_lies_between_is_compacted_all_is_read_anew(keys, tmp_path: Path):
    member = Member(tmp_path).start()
    key = keys.word("a")
    try:
        member.put(key, "1")
        async with Watcher(member, keys) as watcher:
            watcher.watching.revision = 1  # as after a long time away
            member.put(key, "2")
            member.put(key, "3")
            revision = (await watcher.client.get(key)).revision
            member.ctl("compact", str(revision))
            member.kill()
            member.start()
            watcher.watching.revision = 1
            await watcher.until(lambda w: w.fresh > 1)
            await watcher.until(lambda w: w.values[key].text == "3")
    finally:
        member.stop()


async def test_a_store_that_was_emptied_takes_nothing_away(keys, tmp_path: Path):
    before = Member(tmp_path).start()
    key = keys.word("a")
    try:
        before.put(key, "1")
        async with Watcher(before, keys) as watcher:
            await watcher.until(lambda w: w.values)
            before.kill()
            (tmp_path / "data").rename(tmp_path / "lost")
            before.start()
            await watcher.until(lambda w: w.held)
            assert watcher.watching.values[key].text == "1"
            before.put(key, "2")
            await watcher.until(lambda w: w.values[key].text == "2" and not w.held)
    finally:
        before.stop()


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
async def test_a_clock_that_jumps_by_an_hour_moves_nothing(member, keys, monkeypatch, jump):
    client, key, now = member.client(), keys.word("a"), time.time
    await client.change((), (put(key, "1"),), key)
    presence = Presence(client, keys, "me")
    presence.report("a", Applied(1, "applied"))
    keeping = asyncio.get_running_loop().create_task(presence.run())
    async with Watcher(member, keys) as watcher:
        await watcher.until(lambda w: presence.told)
        lease = presence._lease
        monkeypatch.setattr(time, "time", lambda: now() + jump)
        await client.change((), (put(key, "2"),), key)
        await watcher.until(lambda w: w.values[key].text == "2")
        await client.renew(lease)
        assert (presence._lease, watcher.watching.fresh, watcher.watching.problem) == (lease, 1, "")
    keeping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await keeping
    await presence.leave()
    client.close()


async def test_all_that_is_deleted_in_one_moment_stays(member, keys):
    client = member.client()
    await client.change((), [put(keys.word(name), "x") for name in "ab"], "k")
    async with Watcher(member, keys) as watcher:
        await client.change((), (delete(*keys.watched),), "k")
        await watcher.until(lambda w: w.held)
        assert len(watcher.watching.values) == 2
        await watcher.watching.confirm()  # it was meant
        assert (watcher.watching.held, watcher.watching.values) == ("", {})
        await client.change((), [put(keys.word("c"), "x")], "k")
        await watcher.until(lambda w: w.values)
        await watcher.watching.confirm()
        assert set(watcher.watching.values) == {keys.word("c")}
    client.close()


async def test_pauses_grow_to_a_bound_and_are_spread_by_chance():
    assert pause(1, lambda low, high: low) == SHORTEST
    most = [pause(n, lambda low, high: high) for n in range(1, 40)]
    assert most[0] == 1.0
    assert most == sorted(most)
    assert most[-1] == LONGEST
    assert len({pause(5) for _ in range(20)}) > 10


async def test_nobody_there_is_a_problem_that_is_told(keys):
    client = Etcd(Access((Url("127.0.0.1", 1, False),)))
    states = []
    watching = Watching(client, keys, lambda _: None, lambda: states.append(watching.problem))
    watching._anew = False
    task = asyncio.get_running_loop().create_task(watching.run())
    async with asyncio.timeout(WITHIN):
        while not states:
            await asyncio.sleep(0.01)
    task.cancel()
    assert "connection refused" in states[0]
