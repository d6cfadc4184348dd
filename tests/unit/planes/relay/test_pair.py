"""A pair alone, with no event loop around it: what a process that only carries has."""

import contextlib
import gc
import socket
import struct

import pytest

from ambassador.core.session import Event, State
from ambassador.planes.relay.pair import Pair
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.side import Side
from ambassador.planes.relay.timers import Timers

LOTS = 1 << 20  # bytes; more than two sockets and the pair hold


class Watched(Pair):
    """Keeps what it is told."""

    __slots__ = ("events", "finishes")

    def __init__(self, *args):
        self.events = []
        self.finishes = 0
        super().__init__(*args)

    def noted(self, event):
        self.events.append(event)

    def finish(self):
        self.finishes += 1


@pytest.fixture
def failures():
    return []


@pytest.fixture
def poller(failures):
    timers = Timers(failures.append)
    poller = Poller(4096, failures.append, later=timers.call_later)
    turn = poller.turn
    poller.turn = lambda timeout=0.0: (turn(timeout), timers.run())[0]
    yield poller
    assert failures == []
    poller.close()


@pytest.fixture
def ends(poller):
    """A pair that carries, and its client and upstream as they see it."""
    client, ours = socket.socketpair()
    upstream, theirs = socket.socketpair()
    for sock in (client, upstream, ours, theirs):
        sock.setblocking(False)
    pair = Watched(poller, ours)
    poller.add(ours.fileno(), pair.client)
    side = Side(pair, theirs)
    poller.add(theirs.fileno(), side)
    pair.join(side)
    yield pair, client, upstream
    client.close()
    upstream.close()
    pair.happened(Event.CUT)


def turns(poller, until):
    for _ in range(1000):
        poller.turn(0.01)
        if until():
            return
    raise AssertionError("it does not come to that")


def fill(poller, pair, client, words):
    """Send until no more is read of the client; return how many bytes were sent."""
    sent = 0
    while sent < len(words):
        try:
            sent += client.send(words[sent : sent + 65536])
        except BlockingIOError:
            poller.turn()
            if pair.upstream.full:
                return sent
    raise AssertionError("all of it was read")


def test_bytes_and_ends_pass_both_ways(poller, ends):
    pair, client, upstream = ends
    client.send(b"question")
    turns(poller, lambda: pair.client.received == 8)
    assert upstream.recv(10) == b"question"
    client.shutdown(socket.SHUT_WR)
    turns(poller, lambda: pair.state is State.CLIENT_ENDED)
    assert upstream.recv(10) == b""
    upstream.send(b"answer")
    upstream.close()
    turns(poller, lambda: pair.finishes)
    assert client.recv(10) == b"answer"
    assert client.recv(10) == b""
    assert pair.events == [Event.CLIENT_END, Event.UPSTREAM_END]
    assert pair.finishes == 1
    assert len(poller) == 0


def test_it_reads_no_more_than_the_slow_reader_takes_and_loses_nothing(poller, ends):
    pair, client, upstream = ends
    words = bytes(range(256)) * 8192  # more than two sockets hold
    sent = 0

    def stuck():
        nonlocal sent
        try:
            sent += client.send(words[sent : sent + 65536])
        except BlockingIOError:
            return pair.upstream.full
        return sent == len(words)

    turns(poller, stuck)
    assert sent < len(words)
    assert len(pair.upstream.unsent) <= poller.limit + poller.size
    received = bytearray()

    def whole():
        nonlocal sent
        with contextlib.suppress(BlockingIOError):
            received.extend(upstream.recv(65536))
        with contextlib.suppress(BlockingIOError):
            sent += client.send(words[sent : sent + 65536])
        return len(received) == len(words)

    turns(poller, whole)
    assert received == words


def test_what_is_unsent_at_the_end_of_both_is_sent_before_it_closes(poller, ends):
    pair, client, upstream = ends
    words = bytes(range(256)) * (LOTS // 256)
    sent = fill(poller, pair, client, words)
    client.shutdown(socket.SHUT_WR)
    received = bytearray()
    upstream.shutdown(socket.SHUT_WR)

    def all_there():
        try:
            data = upstream.recv(65536)
        except BlockingIOError:
            return False
        received.extend(data)
        return not data

    turns(poller, all_there)
    assert received == words[:sent]
    assert pair.state is State.CLOSED
    assert pair.finishes


def test_a_cut_closes_both_and_what_is_unsent_is_gone(poller, ends):
    pair, client, _upstream = ends
    fill(poller, pair, client, bytes(LOTS))
    pair.happened(Event.CUT)
    assert pair.finishes
    assert pair.finishes == 1


def test_a_reader_that_goes_while_its_last_bytes_are_unsent_ends_the_pair(poller, ends):
    pair, client, upstream = ends
    fill(poller, pair, client, bytes(LOTS))
    upstream.close()
    turns(poller, lambda: pair.finishes)
    assert pair.events[0] in {Event.UPSTREAM_END, Event.UPSTREAM_RESET}


def test_an_error_of_ours_resets_both_lest_bytes_be_missing_in_between(ends):
    pair, client, upstream = ends
    failures = pair.poller._failed.__self__

    class Full(bytearray):
        def __iadd__(self, other):
            raise MemoryError

    pair.upstream.unsent = Full(b"x")
    client.send(b"lost")
    pair.poller.turn(5)
    assert [type(error) for error in failures] == [MemoryError]
    failures.clear()
    assert pair.finishes
    assert client.recv(1) == upstream.recv(1) == b""


def test_a_reset_is_learnt_though_the_bytes_before_it_are_held_back_and_passed_on_behind_them(
    poller,
):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    upstream, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
    waiting = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            waiting += theirs.send(bytes(65536))  # until nobody reads
    pair = Watched(poller, ours)
    poller.add(ours.fileno(), pair.client)
    side = Side(pair, theirs)
    poller.add(theirs.fileno(), side)
    pair.join(side)
    count = poller.size + 8192  # more than one direction may hold, and within a first window
    client.sendall(bytes(count))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    turns(poller, lambda: pair.events == [Event.CLIENT_RESET])
    assert pair.state is State.CLIENT_LOST
    upstream.settimeout(0.01)
    read = 0

    def all_there():
        nonlocal read
        with contextlib.suppress(TimeoutError):
            read += len(upstream.recv(1 << 20))
        return pair.finishes

    turns(poller, all_there)
    while data := upstream.recv(1 << 20):
        read += len(data)
    assert read == waiting + count
    upstream.close()


def test_when_they_part_nothing_waits_for_the_collector(poller):
    client, ours = socket.socketpair()
    upstream, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    pair = Watched(poller, ours)
    poller.add(ours.fileno(), pair.client)
    side = Side(pair, theirs)
    poller.add(theirs.fileno(), side)
    pair.join(side)
    pair.happened(Event.CUT)
    pair.part()
    gc.collect()
    gc.disable()
    try:
        del pair, side
        assert gc.collect() == 0
    finally:
        gc.enable()
    client.close()
    upstream.close()
