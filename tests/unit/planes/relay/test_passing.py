"""A session that is passed from one process to another, whatever it is doing."""

import contextlib
import os
import random
import socket
import struct
import time

import pytest

from ambassador.core.session import Event, State
from ambassador.planes.relay.options import guard
from ambassador.planes.relay.pair import Pair
from ambassador.planes.relay.passing import arrive, file_of, pack, received, take_out
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.side import Side
from ambassador.planes.relay.timers import Timers

# A long run: AMBASSADOR_FUZZ=600 pytest tests/unit/planes/relay/test_passing.py
SECONDS = float(os.environ.get("AMBASSADOR_FUZZ", "3"))


class Counted(Pair):
    __slots__ = ("over",)

    def __init__(self, poller, client):
        super().__init__(poller, client)
        self.over = False

    def finish(self):
        self.over = True


class Process:
    """A poller, as each process has one."""

    def __init__(self):
        self.failures = []
        self.timers = Timers(self.failures.append)
        self.poller = Poller(4096, self.failures.append, later=self.timers.call_later)

    def turn(self):
        for _ in range(3):
            self.poller.turn(0.0)
            self.timers.run()
        assert not self.failures


def connection(listening):
    """Return both ends of a connection of TCP, with small buffers."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.connect(listening.getsockname())
    other, _ = listening.accept()
    for sock in (one, other):
        sock.setblocking(False)
    return one, other


class Passing:
    """A session that wanders between two processes, and its two peers."""

    def __init__(self, listening, processes):
        self.processes = processes
        self.client, ours = connection(listening)
        self.upstream, theirs = connection(listening)
        for sock in (ours, theirs):
            guard(sock)
        self.place = 0
        poller = processes[0].poller
        self.pair = pair = Counted(poller, socket.SocketType(fileno=ours.detach()))
        side = Side(pair, socket.SocketType(fileno=theirs.detach()))
        poller.add(pair.client.sock.fileno(), pair.client)
        poller.add(side.sock.fileno(), side)
        pair.join(side)

    def turn(self):
        for process in self.processes:
            process.turn()

    def wander(self):
        """Pass it; tell whether it could be."""
        packed = pack(self.pair, Event.CUT)
        if packed is None:
            return False
        passed, socks, unsent = packed
        descriptors = [os.dup(one.fileno()) for one in socks]
        if unsent:
            with file_of(unsent) as file:
                descriptors.append(os.dup(file.fileno()))
        before, held = self.pair, self.pair.poller.memory
        take_out(before)
        for sock in socks:
            sock.close()
        before.part()
        assert held.held == 0
        self.place = 1 - self.place
        poller = self.processes[self.place].poller
        client, upstream, data = received(passed, descriptors)
        self.pair = Counted(poller, client)
        arrive(self.pair, passed, Side(self.pair, upstream), data)
        return True

    def close(self):
        self.client.close()
        self.upstream.close()
        for _ in range(1000):
            self.turn()
            if self.pair.over:
                return
            time.sleep(0.001)
        raise AssertionError(f"it does not end: {self.pair.state}")


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        yield sock


@pytest.fixture
def session(listening):
    processes = Process(), Process()
    session = Passing(listening, processes)
    yield session
    session.close()
    for process in processes:
        process.poller.close()


def read(sock):
    """Return what can be read now: bytes, b"" at its end, None for nothing yet."""
    try:
        return sock.recv(3000)
    except BlockingIOError:
        return None


def fill(session):
    """Have the client send until nothing more is taken; return what was."""
    sent = b""
    for number in range(2000):
        try:
            data = bytes([number % 256]) * 1000
            sent += data[: session.client.send(data)]
        except BlockingIOError:
            if not session.turn() and number > 1500:
                break
        session.turn()
    return sent


def read_all(session, sock):
    got = b""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        session.turn()
        data = read(sock)
        if data == b"":
            return got
        got += data or b""
    raise AssertionError("no end")


def test_what_is_unsent_goes_along_and_an_end_behind_it(session):
    sent = fill(session)
    assert session.pair.upstream.unsent
    session.client.shutdown(socket.SHUT_WR)
    session.turn()
    assert session.wander()
    session.turn()
    assert session.wander()
    assert read_all(session, session.upstream) == sent
    assert session.pair.state is State.CLIENT_ENDED
    assert session.wander()
    session.upstream.sendall(b"answer")
    session.upstream.shutdown(socket.SHUT_WR)
    assert read_all(session, session.client) == b"answer"


def test_what_one_that_was_reset_had_said_is_delivered_by_the_next_process(session):
    sent = fill(session)
    session.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    session.client.close()
    while session.pair.state is State.OPEN:
        session.turn()
        if session.pair.state is State.OPEN:
            data = read(session.upstream)
            sent = sent[len(data or b"") :]
    assert session.pair.state is State.CLIENT_LOST
    assert session.wander()
    got = b""
    deadline = time.monotonic() + 10
    with pytest.raises(ConnectionResetError):
        while time.monotonic() < deadline:
            session.turn()
            got += read(session.upstream) or b""
    assert sent.startswith(got)
    assert session.pair.over


def test_what_comes_while_it_is_on_its_way_is_not_lost(session):
    session.client.sendall(b"late")
    session.client.shutdown(socket.SHUT_WR)
    assert session.wander()
    assert read_all(session, session.upstream) == b"late"


def test_without_descriptors_both_peers_are_told(session, listening):
    passed, socks, _ = pack(session.pair, Event.CUT)
    copies = [os.dup(one.fileno()) for one in socks]
    assert received(passed, copies[:1]) is None
    os.close(copies[1])
    other = passed._replace(version=99)
    assert received(other, [os.dup(one.fileno()) for one in socks]) is None


class Talk:
    """What both peers of a session say at random, and hear."""

    def __init__(self, session, chance):
        self.session, self.chance = session, chance
        self.ends = {session.client: session.upstream, session.upstream: session.client}
        self.said = dict.fromkeys(self.ends, b"")
        self.heard = dict.fromkeys(self.ends, b"")
        self.over, self.ended, self.passed = set(), set(), 0

    def say(self, sock):
        if sock not in self.over:
            data = self.chance.randbytes(self.chance.choice((1, 100, 5000, 60_000)))
            with contextlib.suppress(BlockingIOError):
                self.said[sock] += data[: sock.send(data)]

    def hear(self, sock):
        if sock not in self.ended and (data := read(sock)) is not None:
            self.heard[sock] += data
            self.ended |= set() if data else {sock}

    def end(self, sock):
        if sock not in self.over:
            self.over.add(sock)
            sock.shutdown(socket.SHUT_WR)

    def wander(self):
        if not self.session.pair.over:
            self.passed += self.session.wander()

    def step(self):
        sock = self.chance.choice(list(self.ends))
        what = self.chance.randrange(60)
        if what < 20:
            self.say(sock)
        elif what < 30:
            self.hear(sock)
        elif what < 32:
            self.end(sock)
        elif what < 40:
            self.wander()
        else:
            self.session.turn()

    def finish(self):
        for sock in self.ends:
            self.end(sock)
        until = time.monotonic() + 10
        while len(self.ended) < 2:
            self.session.turn()
            if self.chance.random() < 0.2:
                self.wander()
            for sock in self.ends:
                self.hear(sock)
            assert time.monotonic() < until, self.session.pair.state
        for sock, other in self.ends.items():
            assert self.heard[other] == self.said[sock]
        self.session.close()


def test_at_random(listening):
    chance = random.Random(14)
    processes = Process(), Process()
    deadline, sessions, passed = time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < deadline:
        talk = Talk(Passing(listening, processes), chance)
        for _ in range(chance.randrange(5, 120)):
            talk.step()
        talk.finish()
        passed += talk.passed
        sessions += 1
    assert passed > sessions > 10
    assert [len(process.poller) for process in processes] == [0, 0]
    assert [process.poller.memory.held for process in processes] == [0, 0]
    for process in processes:
        process.poller.close()
