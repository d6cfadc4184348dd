"""What an ambassador reports, under a lease of its own."""

import asyncio
import contextlib

import pytest

from ambassador.core.fleet.records import Applied, parse_applied
from ambassador.fleet.access import Access
from ambassador.fleet.connection import Url
from ambassador.fleet.etcd import Etcd
from ambassador.fleet.presence import Presence

pytestmark = pytest.mark.asyncio


async def until(condition):
    async with asyncio.timeout(15):
        while not (found := await condition()):
            await asyncio.sleep(0.01)
    return found


@contextlib.asynccontextmanager
async def present(presence):
    task = asyncio.get_running_loop().create_task(presence.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_report_is_there_as_long_as_it_is_said(member, keys):
    client = member.client()
    presence = Presence(client, keys, "me")
    key = keys.applied("a", "me")

    async def there():
        found = (await client.get(key)).values.get(key)
        return found and parse_applied(key, found.text)

    async with present(presence):
        presence.report("a", Applied(1, "applied"))
        assert (await until(there)).revision == 1
        presence.report("a", Applied(2, "refused", (), "why"))
        await until(lambda: is_at(there, 2))
        presence.report("a", None)
        await until(lambda: is_gone(there))
        presence.report("a", Applied(3, "applied"))
        await until(lambda: is_at(there, 3))
    assert (await client.get(key)).values[key].lease
    await presence.leave()
    assert await there() is None
    client.close()


async def is_at(there, revision):
    found = await there()
    return found and found.revision == revision


async def is_gone(there):
    return await there() is None


async def test_a_lease_that_has_ended_is_taken_anew_with_all_reports(member, keys):
    client = member.client()
    presence = Presence(client, keys, "me")
    keys_of = [keys.applied(f"s{n}", "me") for n in range(150)]

    async def all_there():
        return len((await client.get(keys.applied(), keys.applied()[:-1] + "0")).values) == 150

    async with present(presence):
        for n in range(150):
            presence.report(f"s{n}", Applied(1, "applied"))
        await until(all_there)
        await client.revoke(presence._lease)
        presence.report("s0", Applied(2, "applied"))
        await until(all_there)
        found = (await client.get(keys_of[0])).values[keys_of[0]]
        assert parse_applied("k", found.text).revision == 2
    await presence.leave()
    client.close()


async def test_that_nobody_can_be_told_is_a_problem(keys):
    states = []
    presence = Presence(
        Etcd(Access((Url("127.0.0.1", 1, False),))), keys, "me", lambda: states.append(1)
    )

    async def told():
        return "connection refused" in presence.problem and states

    async with present(presence):
        await until(told)
    await presence.leave()  # at once: there is nothing to take back


async def test_what_many_say_is_said_within_the_time_that_is_named(member, keys, monkeypatch):
    client = member.client()
    presence = Presence(client, keys, "me")
    monkeypatch.setattr("ambassador.fleet.presence.random.uniform", lambda _least, most: most)

    async def said(service):
        key = keys.applied(service, "me")
        found = (await client.get(key)).values.get(key)
        return found and parse_applied(key, found.text).revision

    async with present(presence):
        presence.report("a", Applied(1, "applied"), 60)  # the first is never late
        await until(lambda: said("a"))
        presence.report("a", Applied(2, "applied"), 60)
        presence.report("b", Applied(5, "applied"))
        await until(lambda: said("b"))
        assert await said("a") == 1
        presence.report("a", Applied(3, "applied"), 0.05)  # somebody waits for less
        await until(lambda: is_said(said, "a", 3))
        presence.report("a", Applied(3, "applied", ("tcp://10.0.0.1:1",)))  # nobody waits
        assert 1 < presence._unsaid["a"] - asyncio.get_running_loop().time() <= 2
    await presence.leave()
    client.close()


async def is_said(said, service, revision):
    return await said(service) == revision


class SlowEtcd:
    """Takes a while for each change, and notes what is asked of it."""

    def __init__(self):
        self.asked = []

    async def grant(self, seconds, _limit):
        return 7, seconds

    async def renew(self, lease, _limit):
        self.asked.append("renew")

    async def change(self, *_what):
        self.asked.append("change")
        await asyncio.sleep(0.02)


async def test_the_lease_is_kept_before_anything_is_said(keys, monkeypatch):
    monkeypatch.setattr("ambassador.fleet.presence.TTL", 0.1)
    etcd = SlowEtcd()
    presence = Presence(etcd, keys, "me")
    for number in range(3000):
        presence.report(f"s{number}", Applied(1, "applied"))

    async def all_said():
        return presence.told

    async with present(presence):
        await until(all_said)
    assert etcd.asked.count("change") == 30
    assert "renew" in etcd.asked[:6]
