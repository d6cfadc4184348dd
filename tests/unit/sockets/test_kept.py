"""Listening sockets that are kept for the next process: what is told of them, and when."""

import asyncio
import contextlib
import socket
import time

import pytest

from ambassador.sockets.inherited import LentSocket
from ambassador.sockets.kept import KeptSockets, apart
from ambassador.tasks import spawn

pytestmark = pytest.mark.asyncio


class Keeper:
    """Hears what is told, as often as there is `room`."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []
        self.room = 1000
        self.kept = KeptSockets(self._hear, wanted=True)

    def _hear(self, lines, descriptors):
        self.room -= 1
        if self.room >= 0:
            assert len(descriptors) == (lines[0] == "FDSTORE=1")
            self.told.append(tuple(lines))
        return self.room >= 0

    def heard(self):
        """Return what was told, with the port each."""
        told, self.told = self.told, []
        return sorted((line, int(name.rpartition("3A")[2])) for line, name in told)


@pytest.fixture
def listen():
    with contextlib.ExitStack() as stack:

        def listening(port=0, kind=socket.SOCK_STREAM, lent=False):
            sock = stack.enter_context(LentSocket(socket.AF_INET, kind))
            sock.lent = lent
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            if kind == socket.SOCK_STREAM:
                sock.listen()
            return sock

        yield listening


def port(sock):
    return sock.getsockname()[1]


async def test_only_what_has_changed_is_told(listen):
    keeper = Keeper()
    one, two = listen(), listen()
    await keeper.kept.look(lambda: [one, two])
    assert keeper.heard() == sorted(("FDSTORE=1", port(sock)) for sock in (one, two))
    await keeper.kept.look(lambda: [two, one])
    assert keeper.heard() == []
    await keeper.kept.look(lambda: [two])
    assert keeper.heard() == [("FDSTOREREMOVE=1", port(one))]


async def test_a_listener_that_is_another_is_told_anew(listen):
    keeper = Keeper()
    one = listen()
    await keeper.kept.look(lambda: [one])
    keeper.heard()
    number = port(one)
    one.close()
    await keeper.kept.look(lambda: [listen(number)])
    assert [words[0] for words in keeper.told] == ["FDSTOREREMOVE=1", "FDSTORE=1"]


async def test_neither_what_is_lent_nor_udp_is_told(listen):
    keeper = Keeper()
    await keeper.kept.look(lambda: [listen(lent=True), listen(kind=socket.SOCK_DGRAM)])
    assert keeper.told == []


async def test_where_there_is_no_room_it_is_told_later(listen):
    keeper = Keeper()
    keeper.room = 1
    await keeper.kept.look(lambda: [listen(), listen(), listen()])
    assert len(keeper.told) == 1
    keeper.room = 1000
    async with asyncio.timeout(5):
        while len(keeper.told) < 3:
            await asyncio.sleep(0)
    await keeper.kept.look(lambda: [])
    keeper.kept.close()


async def test_many_are_told_of_in_pieces(listen):
    keeper = Keeper()
    await keeper.kept.look(lambda: [listen() for _ in range(120)])
    assert len(keeper.told) == 50
    async with asyncio.timeout(5):
        while len(keeper.told) < 120:
            await asyncio.sleep(0)


async def test_what_is_kept_already_is_not_told(listen):
    keeper = Keeper()
    one = listen()
    await keeper.kept.look(lambda: [one])
    name = keeper.told[0][1].removeprefix("FDNAME=")
    other = Keeper()
    units, kept = apart([("db", listen()), (name, one)])
    assert ([unit for unit, _ in units], kept) == (["db"], [(name, one)])
    other.kept.given(kept)
    await other.kept.look(lambda: [one])
    assert other.told == []
    await other.kept.look(lambda: [])
    assert [words[0] for words in other.told] == ["FDSTOREREMOVE=1"]


async def test_nobody_keeps_any_where_that_is_not_said(listen):
    kept = KeptSockets(lambda *_: pytest.fail("it was told"), wanted=False)
    await kept.look(lambda: [listen()])


async def test_what_an_earlier_look_has_seen_no_longer_counts(listen):
    keeper = Keeper()
    one, two = listen(), listen()
    seen = asyncio.Event()

    def slow():
        time.sleep(0.005)  # longer than a slice: others have their turn
        seen.set()
        return [one]

    earlier = spawn(keeper.kept.look(slow), "an earlier look")
    await seen.wait()
    assert not earlier.done()
    keeper.kept.forget()
    await earlier
    assert keeper.told == []
    await keeper.kept.look(lambda: [two])
    assert keeper.heard() == [("FDSTORE=1", port(two))]
