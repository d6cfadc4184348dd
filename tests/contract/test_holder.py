"""What ports.Holder promises, and with it ports.Passing, of the one the program offers and of the
one that tests use.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from ambassador.errors import RunError
from ambassador.handover.lending import Lending
from tests.unit.handover.earlier_scene import FakeHolder


class Part:
    """Implements ports.Transferable with a socket of its own."""

    def __init__(self):
        self.sock = socket.socket()
        self.accepts, self.gone = True, False

    async def lend(self):
        return [self.sock]

    def pause(self):
        self.accepts = False

    async def take_back(self):
        self.accepts = True

    def give_up(self):
        self.gone = True


def lending(refuses):
    @asynccontextmanager
    async def still(_passes):
        if refuses:
            raise RunError(refuses)
        yield ()

    async def counters():
        return b"numbers", []

    parts = [Part(), Part()]
    sockets = [part.sock for part in parts]
    made = Lending(
        *(parts, list, still, lambda _: "", lambda _pid, _count: None),
        passing=FakeHolder(count=0),
        counters=counters,
    )
    return made, sockets


def fake(refuses):
    holder = FakeHolder(count=2, refuses=refuses)
    return holder, holder.sockets


@pytest.fixture(params=[lending, fake])
def run(request):
    """Run a test's coroutine with a holder of two sockets."""

    def running(test, refuses=""):
        holder, sockets = request.param(refuses)
        asyncio.run(test(holder, sockets))
        for sock in sockets:
            sock.close()

    return running


def test_all_is_lent_and_stays_open_until_it_is_given_up(run):
    async def test(holder, sockets):
        for _ in range(2):
            lent, wishes = await holder.lend(True)
            assert list(lent) == sockets
            assert isinstance(wishes, bytes)
            holder.pause()
            await holder.take_back()
            holder.returned()
        await holder.lend(True)
        await holder.gather()
        assert list(holder.copies()) == []
        await holder.stop_accepting()
        late, state = holder.freeze()
        assert [one.text for one in late] == [b"late"]
        assert isinstance(state, bytes)
        await holder.give_up(7)
        text, connections = await holder.counters()
        assert (isinstance(text, bytes), list(connections)) == (True, [])

    run(test)


def test_a_refusal_says_why(run):
    async def test(holder, _sockets):
        with pytest.raises(RunError, match="redis is held"):
            await holder.lend(True)

    run(test, refuses="redis is held")
