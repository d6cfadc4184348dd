"""From one process to the next and the one after it: nothing that was counted is lost."""

import asyncio
import socket
from types import SimpleNamespace

import pytest

from ambassador.core.plan import AddRoute
from ambassador.handover.heritage import Heritage
from tests.names import StaticResolver
from tests.planes import FakePlane
from tests.unit.handover.former_scene import ROUTE, until


class Ambassador:
    """What of one process counts here; `ended` is a number of its metrics."""

    def __init__(self, opened, kernel=None, ended=0):
        self.relay = FakePlane("relay", opened=opened)
        self.kernel = None if kernel is None else FakePlane("kernel", opened=kernel)
        account = {"session 1": ended}
        self.heritage = Heritage(StaticResolver(), self.relay, self.kernel, lambda _: account)

    async def start(self):
        for plane in (self.relay, self.kernel, self.heritage.former):
            if plane is not None:
                await plane.apply([AddRoute(ROUTE)])
        return self

    async def succeed(self, other):
        """Take over from `other`."""
        await other.heritage.last_look.lend()
        legacy, others = await other.heritage.legacy()
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setblocking(False)

        async def successor():
            return theirs

        self.heritage.take_over(
            SimpleNamespace(
                connection=lambda: mine, legacy=legacy, others=[one.dup() for one in others]
            )
        )
        await other.heritage.stay(SimpleNamespace(successor=successor))

    def opened(self):
        return sum(status.opened for status in self.heritage.former.status())

    def ended(self):
        return self.heritage.before([ROUTE])[ROUTE.name].get("session 1", 0)

    async def end(self):
        await self.heritage.leave()
        await self.heritage.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("early", [True, False])
async def test_three_in_a_row(early):
    async with asyncio.timeout(10):
        first = await Ambassador(10, ended=1).start()
        second = await Ambassador(100, ended=2).start()
        third = await Ambassador(0).start()
        await second.succeed(first)
        assert (second.opened(), second.ended()) == (10, 1)
        if early:
            await first.end()
            await until(lambda: not second.heritage.former.processes)
            assert (second.opened(), second.ended()) == (10, 1)
        await third.succeed(second)
        assert (third.opened(), third.ended()) == (110, 3)
        second.relay.numbers["opened"] = 101
        await second.end()
        if not early:
            first.relay.numbers["opened"] = 11
            await first.end()
        await until(lambda: not third.heritage.former.processes)
        assert (third.opened(), third.ended()) == (111 if early else 112, 3)
        await third.end()


@pytest.mark.asyncio
@pytest.mark.parametrize(("kernel", "opened"), [(0, 10), (None, 15)])
async def test_what_rules_have_counted_is_added_where_the_rules_do_not_go_on(kernel, opened):
    async with asyncio.timeout(10):
        first = await Ambassador(10, kernel=5).start()
        second = await Ambassador(0, kernel=kernel).start()
        await second.succeed(first)
        assert second.opened() == opened
        await first.end()
        await until(lambda: not second.heritage.former.processes)
        assert second.opened() == opened
        await second.end()


@pytest.mark.asyncio
async def test_of_one_that_died_nothing_is_known():
    second = await Ambassador(0).start()
    second.heritage.take_over(SimpleNamespace(connection=lambda: None))
    assert (second.opened(), second.heritage.former.processes) == (0, [])
    await second.end()


@pytest.mark.asyncio
async def test_numbers_that_make_no_sense_stop_nobody(caplog):
    second = await Ambassador(0).start()
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    second.heritage.take_over(SimpleNamespace(connection=lambda: mine, legacy=b"{", others=[]))
    assert "make no sense" in caplog.text
    assert len(second.heritage.former.processes) == 1
    theirs.close()
    await second.end()
