"""The side that comes, against the side that leaves."""

import asyncio
import os
import socket
import time

import pytest
import pytest_asyncio

from ambassador.errors import NobodyError, RunError
from ambassador.handover import predecessor, successor
from ambassador.handover.counters import HandedCounters
from ambassador.handover.predecessor import Predecessor
from ambassador.handover.protocol import MOST, beside
from ambassador.handover.successor import HandedStore, Successor
from ambassador.ports import Piece
from tests.unit.handover.earlier_scene import FakeHolder


@pytest.fixture
def admin(tmp_path):
    return tmp_path / "admin.sock"


@pytest_asyncio.fixture
async def waiting(admin):
    made = []

    async def wait(**options):
        holder = FakeHolder(**options)
        predecessor = Predecessor(admin, holder)
        await predecessor.start()
        made.append((holder, predecessor))
        return holder

    yield wait
    for holder, offering in made:
        offering.close()
        holder.close()


@pytest.mark.asyncio
async def test_thousands_of_sockets_change_hands(admin, waiting):
    holder = await waiting(count=2 * MOST + 1)
    holder.sockets[3].bind(("127.0.0.1", 0))
    successor = await Successor.ask(admin)
    assert successor.wishes == b"wishes" * 100_000
    assert len(successor.sockets) == 2 * MOST + 1
    assert successor.sockets[3].getsockname() == holder.sockets[3].getsockname()
    await successor.ready()
    assert holder.told == ["lend", "pause"]
    await successor.done()
    await successor.counted()
    await asyncio.wait_for(holder.over.wait(), 5)
    assert holder.told == ["lend", "pause", f"give up to {os.getpid()}"]
    assert successor.counters == b"numbers"
    for sock in successor.sockets:
        sock.close()
    successor.close()


@pytest.mark.asyncio
async def test_the_connection_stays_and_those_to_earlier_processes_change_hands(admin):
    holder = FakeHolder(count=0)
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    holder.others = [one]
    predecessor = Predecessor(admin, holder)
    await predecessor.start()
    successor = await Successor.ask(admin)
    await successor.ready()
    await successor.done()
    await successor.counted()
    theirs, mine = await predecessor.connection(), successor.connection()
    (handed,) = successor.earlier
    with one, other, theirs, mine, handed:
        mine.send(b"question")
        assert theirs.recv(100) == b"question"
        handed.send(b"hello")
        assert other.recv(100) == b"hello"
    predecessor.close()


@pytest.mark.asyncio
async def test_of_one_that_died_at_the_end_there_is_no_connection(admin, waiting):
    await waiting()
    successor = await Successor.ask(admin)
    successor.sockets[0].close()
    assert successor.connection() is None


@pytest.mark.asyncio
async def test_closed_before_it_is_done_nothing_is_given(admin, waiting):
    holder = await waiting()
    for ready in (False, True):
        holder.over.clear()
        successor = await Successor.ask(admin)
        if ready:
            await successor.ready()
        successor.close()
        successor.sockets[0].close()
        await asyncio.wait_for(holder.over.wait(), 5)
    assert holder.told == ["lend", "take back", "lend", "pause", "take back"]


@pytest.mark.asyncio
async def test_a_refusal_says_why(admin, waiting):
    await waiting(refuses="redis is held")
    with pytest.raises(RunError, match="does not hand over: redis is held"):
        await Successor.ask(admin)


@pytest.mark.asyncio
async def test_one_that_takes_too_long_has_lost_it(admin, waiting, monkeypatch):
    monkeypatch.setattr(predecessor, "PATIENCE", 0.05)
    holder = await waiting()
    successor = await Successor.ask(admin)
    await asyncio.wait_for(holder.over.wait(), 5)
    assert holder.told == ["lend", "take back"]
    with pytest.raises(RunError, match="it took too long"):
        await successor.ready()
    successor.close()
    successor.sockets[0].close()


@pytest.mark.asyncio
async def test_one_that_takes_too_long_at_the_end_has_lost_it(admin, waiting, monkeypatch):
    monkeypatch.setattr(predecessor, "PATIENCE", 0.2)
    holder = await waiting()
    successor = await Successor.ask(admin)
    await successor.ready()
    await asyncio.wait_for(holder.over.wait(), 5)
    with pytest.raises(RunError, match="it took too long"):
        await successor.done()
    assert holder.told == ["lend", "pause", "take back"]
    successor.close()
    successor.sockets[0].close()


@pytest.mark.asyncio
async def test_nobody_there(admin):
    with pytest.raises(NobodyError, match="without --upgrade a new one starts"):
        await Successor.ask(admin)


@pytest.mark.asyncio
async def test_one_that_belongs_to_another_user_is_not_believed(admin, waiting, monkeypatch):
    await waiting()
    monkeypatch.setattr(successor, "peer", lambda _: (1, 12345))
    monkeypatch.setattr(successor.os, "geteuid", lambda: 54321)
    with pytest.raises(RunError, match="belongs to user 12345"):
        await Successor.ask(admin)


@pytest.mark.asyncio
async def test_another_user_is_not_heard(admin, waiting, monkeypatch):
    holder = await waiting()
    monkeypatch.setattr(predecessor, "peer", lambda _: (1, 12345))
    with pytest.raises(RunError, match="has ended"):
        await Successor.ask(admin)
    assert holder.told == []


@pytest.mark.asyncio
async def test_a_later_one_has_the_place(admin, waiting):
    await waiting(refuses="first")
    await waiting(refuses="second")
    with pytest.raises(RunError, match="second"):
        await Successor.ask(admin)


@pytest.mark.asyncio
async def test_where_there_is_no_place_it_is_only_said(tmp_path, caplog):
    predecessor = Predecessor(tmp_path / "missing" / "admin.sock", FakeHolder(count=0))
    await predecessor.start()
    predecessor.close()
    assert "no other ambassador will be able to take over" in caplog.text
    assert not beside(tmp_path / "missing" / "admin.sock").exists()


def test_wishes_that_were_handed_over_are_saved_where_others_are():
    class Store:
        saved = None

        def load(self):
            return ()

        def save(self, wishes):
            self.saved = wishes

    store = Store()
    handed = HandedStore("a b", lambda text: tuple(text.split()), store)
    assert handed.load() == ("a", "b")
    handed.save(("c",))
    assert store.saved == ("c",)
    HandedStore("", lambda text: (), None).save(())


@pytest.mark.asyncio
async def test_hundreds_of_earlier_processes_change_hands(admin):
    """One message has room for 253 descriptors (SCM_MAX_FD)."""
    count = 2 * MOST + 50
    holder = FakeHolder(count=0)
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(count)]
    holder.others = [one for one, _ in pairs]
    predecessor = Predecessor(admin, holder)
    await predecessor.start()
    successor = await Successor.ask(admin)
    await successor.ready()
    await successor.done()
    await successor.counted()
    assert len(successor.earlier) == count
    successor.earlier[-1].send(b"hello")
    assert pairs[-1][1].recv(100) == b"hello"
    for sock in (*successor.earlier, *(sock for pair in pairs for sock in pair)):
        sock.close()
    (await predecessor.connection()).close()
    predecessor.close()
    successor.close()


@pytest.mark.asyncio
async def test_counters_that_cannot_be_had_keep_no_successor_waiting(admin, waiting, caplog):
    holder = await waiting(count=1)

    async def fails():
        raise KeyError("a bug")

    holder.counters = fails
    successor = await Successor.ask(admin)
    await successor.ready()
    await asyncio.wait_for(successor.done(), 5)
    await successor.counted()
    assert HandedCounters.decode(successor.counters, kernel=True) == HandedCounters()
    assert "the counters are not handed over: KeyError" in caplog.text
    successor.sockets[0].close()
    successor.close()


class Plane:
    """Takes pieces and the state, and notes what it was told."""

    def __init__(self, fails=""):
        self.told, self.fails = [], fails

    def take(self, text, descriptors):
        self.told.append((text, len(descriptors)))
        for descriptor in descriptors:
            os.close(descriptor)
        if self.fails:
            raise RunError(self.fails)

    def settle(self, state):
        self.told.append(state)


async def taken(admin, plane):
    """Take over in a thread of its own, as the predecessor does nothing else at one moment."""

    async def take():
        successor = await Successor.ask(admin, FakeHolder.passing)
        try:
            await successor.ready(plane)
            await successor.done()
            await successor.counted()
            return successor.counters
        finally:
            successor.close()
            for sock in successor.sockets:
                sock.close()

    return await asyncio.wait_for(asyncio.to_thread(asyncio.run, take()), 10)


@pytest.mark.asyncio
async def test_sessions_come_in_pieces_and_then_the_state_of_all(admin, waiting):
    holder = await waiting()
    holder.sessions = [Piece(b"one", holder.sockets), Piece(b"two" * 100_000, ())]
    plane = Plane()
    assert await taken(admin, plane) == b"numbers"
    assert plane.told == [(b"one", 1), (b"two" * 100_000, 0), (b"late", 0), b"state" * 100_000]
    done = ["lend", "gather", "stop accepting", "freeze", f"give up to {os.getpid()}"]
    assert holder.told == done


@pytest.mark.asyncio
async def test_one_that_cannot_take_them_has_changed_nothing(admin, waiting, caplog):
    holder = await waiting()
    holder.sessions = [Piece(b"one", ())]
    with pytest.raises(RunError, match="no room"):
        await taken(admin, Plane("no room"))
    await asyncio.wait_for(holder.over.wait(), 5)
    await asyncio.wait_for(holder.alone.wait(), 5)
    assert holder.told == ["lend", "gather", "take back", "returned"]


@pytest.mark.asyncio
async def test_one_that_stands_still_at_that_moment_has_lost_it(admin, waiting, monkeypatch):
    monkeypatch.setattr(predecessor, "_FROZEN", 0.1)
    holder = await waiting()

    class Still(Plane):
        def settle(self, state):
            time.sleep(1)

    with pytest.raises(RunError, match="it took too long"):
        await taken(admin, Still())
    assert holder.told[:5] == ["lend", "gather", "stop accepting", "freeze", "take back"]


@pytest.mark.asyncio
async def test_to_one_that_reads_other_sessions_none_are_given(admin, waiting, caplog):
    holder = await waiting()
    successor = await Successor.ask(admin, 99)
    await successor.ready(Plane())
    await successor.done()
    await successor.counted()
    successor.close()
    successor.sockets[0].close()
    assert holder.told == ["lend", "pause", f"give up to {os.getpid()}"]
    assert "it takes those of version 99" in caplog.text
