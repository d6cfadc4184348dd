"""From one process to the next and the one after it nothing that was counted is lost."""

import asyncio
import socket
from types import SimpleNamespace

import pytest

from ambassador.core.plan import AddRoute
from ambassador.handover.transfer import Transfer
from tests.names import StaticResolver
from tests.planes import FakePlane
from tests.unit.handover.earlier_scene import ROUTE, until


class Ambassador:
    """What of one process counts here; `ended` is a number of its metrics."""

    def __init__(self, opened, kernel=None, ended=0):
        self.relay = FakePlane("relay", opened=opened)
        self.kernel = None if kernel is None else FakePlane("kernel", opened=kernel)
        counters = {"session 1": ended}
        self.transfer = Transfer(StaticResolver(), self.relay, self.kernel, lambda _: counters)

    async def start(self):
        for plane in (self.relay, self.kernel, self.transfer.earlier):
            if plane is not None:
                await plane.apply([AddRoute(ROUTE)])
        return self

    async def succeed(self, other):
        """Take over from `other`."""
        await other.transfer.kernel_counters.lend()
        counters, earlier = await other.transfer.hand_over()
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setblocking(False)
        await self.transfer.count_on(
            SimpleNamespace(
                connection=lambda: mine, counters=counters, earlier=[one.dup() for one in earlier]
            )
        )
        other.transfer.answer(theirs)

    def opened(self):
        return sum(status.opened for status in self.transfer.earlier.status())

    def ended(self):
        return self.transfer.before([ROUTE])[ROUTE.name].get("session 1", 0)

    async def end(self):
        await self.transfer.leave()
        await self.transfer.close()


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
            await until(lambda: not second.transfer.earlier.processes)
            assert (second.opened(), second.ended()) == (10, 1)
        await third.succeed(second)
        assert (third.opened(), third.ended()) == (110, 3)
        second.relay.numbers["opened"] = 101
        await second.end()
        if not early:
            first.relay.numbers["opened"] = 11
            await first.end()
        await until(lambda: not third.transfer.earlier.processes)
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
        await until(lambda: not second.transfer.earlier.processes)
        assert second.opened() == opened
        await second.end()


@pytest.mark.asyncio
async def test_of_one_that_died_nothing_is_known():
    second = await Ambassador(0).start()
    await second.transfer.count_on(SimpleNamespace(connection=lambda: None))
    assert (second.opened(), second.transfer.earlier.processes) == (0, [])
    await second.end()


@pytest.mark.asyncio
async def test_numbers_that_make_no_sense_stop_nobody(caplog):
    second = await Ambassador(0).start()
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    await second.transfer.count_on(
        SimpleNamespace(connection=lambda: mine, counters=b"{", earlier=[])
    )
    assert "make no sense" in caplog.text
    assert len(second.transfer.earlier.processes) == 1
    theirs.close()
    await second.end()


NONSENSE = [
    b"{",
    b"[" * 100_000,
    b"[1, 2, 3]",
    b'[{}, {"tcp :6379": {"open": NaN}}, []]',
    b'[{}, {"tcp :6379": {"open": 1e400}}, []]',
    b'[{}, {"tcp :6379": {"open": 1' + b"0" * 400 + b"}}, []]",
    b'[{}, {"tcp :6379": {"open": "many"}}, []]',
    b'[{}, {"tcp :6379": {"open tcp://": 1}}, []]',
    b'[{}, {"tcp": {}}, []]',
    b'[{"tcp :6379": 5}, {}, []]',
    b"\xff\xfe",
]


@pytest.mark.asyncio
@pytest.mark.parametrize("text", NONSENSE)
async def test_whatever_a_predecessor_writes_after_it_has_let_go_stops_nobody(text, caplog):
    second = await Ambassador(0).start()
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    await second.transfer.count_on(
        SimpleNamespace(connection=lambda: mine, counters=text, earlier=[])
    )
    assert "make no sense" in caplog.text
    assert second.opened() == 0
    theirs.close()
    await second.end()


@pytest.mark.asyncio
async def test_the_place_of_the_admin_socket_is_taken_after_the_promise_and_not_before():
    told = []
    it = await Ambassador(0).start()
    it.relay.begin = lambda: told.append("begin")

    async def says(word):
        told.append(word)

    it.relay.accept = lambda: says("accept")

    successor = SimpleNamespace(
        ready=lambda _relay: says("ready"),
        done=lambda: says("done"),
        counted=lambda: says("counted"),
        kept=[],
        connection=lambda: None,
        pid=1,
        admin="admin.sock",
    )
    inherited = SimpleNamespace(own=lambda _: told.append("own"), close_rest=list)
    await it.transfer.take_over(successor, inherited, lambda: says("serve"))
    assert told == ["ready", "done", "begin", "own", "accept", "counted", "serve"]

    async def cannot():
        raise OSError(28, "No space left on device")

    await it.transfer.take_over(successor, inherited, cannot)  # all is ours: it goes on
    await it.end()
