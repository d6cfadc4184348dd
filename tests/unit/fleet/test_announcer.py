"""An endpoint stands in etcd under a lease, only while it is healthy."""

import asyncio
import contextlib

import pytest

from ambassador.core.fleet.records import parse_announced
from ambassador.errors import ConflictError
from ambassador.fleet.announcer import Announcer
from ambassador.spec import parse_endpoint

pytestmark = pytest.mark.asyncio


class Announced:
    """An announcer under way, whose endpoint is as well as `why` says."""

    def __init__(self, member, keys, url="tcp://10.0.0.5:6379", who="me", **more):
        self.why = ""
        self.client = member.client()
        self.key = keys.announced("s", who)
        self.announcer = Announcer(
            self.client,
            keys,
            "s",
            parse_endpoint(url),
            who=who,
            look=self._look,
            interval=0.02,
            **more,
        )
        self.task = None

    async def _look(self):
        return self.why

    async def __aenter__(self):
        self.task = asyncio.get_running_loop().create_task(self.announcer.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConflictError):
            await self.task
        await self.announcer.leave()
        self.client.close()

    async def there(self):
        return (await self.client.get(self.key)).values.get(self.key)

    async def until(self, wanted):
        async with asyncio.timeout(15):
            while bool(found := await self.there()) is not wanted:
                await asyncio.sleep(0.01)
        return found


async def test_it_is_there_while_it_is_well_and_gone_when_it_is_not(member, keys):
    async with Announced(member, keys) as one:
        found = await one.until(True)
        assert found.lease
        assert parse_announced("k", found.text).endpoint == parse_endpoint("tcp://10.0.0.5:6379")
        one.why = "it does not answer"
        await one.until(False)
        assert one.announcer.problem == "it does not answer"
        one.why = ""
        await one.until(True)


async def test_it_is_withdrawn_at_the_end(member, keys):
    async with Announced(member, keys) as one:
        await one.until(True)
    client = member.client()
    assert (await client.get(one.key)).values == {}
    client.close()


async def test_a_lease_that_has_ended_is_taken_anew(member, keys):
    async with Announced(member, keys, ttl=2) as one:
        before = await one.until(True)
        await one.client.revoke(before.lease)
        async with asyncio.timeout(15):
            while not (now := await one.there()) or now.lease == before.lease:
                await asyncio.sleep(0.01)


async def test_the_second_protocol_under_one_name_is_refused(member, keys):
    async with Announced(member, keys) as first:
        await first.until(True)
        async with Announced(member, keys, "udp://10.0.0.6:53", "other") as second:
            with pytest.raises(ConflictError, match="s is announced as tcp already"):
                await asyncio.wait_for(second.task, 15)
            assert await second.there() is None
        async with Announced(member, keys, "tcp://10.0.0.6:6379", "third") as third:
            await third.until(True)
