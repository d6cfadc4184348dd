"""The process that carries, as the relay meets it."""

import os
import resource
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ambassador.core.session import Event, State
from ambassador.planes.relay.channel import Channel
from ambassador.planes.relay.shared import Shared
from ambassador.planes.relay.worker_messages import (
    Adopt,
    Ask,
    Back,
    Cut,
    Ended,
    Hello,
    News,
    Passed,
    PassedSide,
    Return,
    Told,
)
from ambassador.planes.relay.worker_process import start
from tests.program import unmeasured
from tests.wait import until


def as_new(to_upstream=0, to_client=0):
    """What is passed of a session that is open and has nothing unsent."""
    client, upstream = (PassedSide(count, 0, True, False, 0) for count in (to_upstream, to_client))
    return Passed(1, State.OPEN, Event.CUT, client, upstream)


class Process:
    """A carrier and the relay's end of its channel."""

    def __init__(self):
        self.shared = Shared(2)
        found = start((65536, 1 << 20, 1), 1, self.shared, None)
        self.process = found.process
        self.channel = Channel(found.sock)
        self.heard, self.descriptors = [], []
        assert self.hear() == Hello()

    def hear(self):
        """Return the next message."""

        def one():
            for message, descriptors in self.channel.receive():
                self.descriptors += descriptors
                self.heard += message.items if isinstance(message, News) else [message]
            return self.heard

        until(one, 10)
        return self.heard.pop(0)

    def adopt(self, key, to_upstream=0, to_client=0):
        """Hand over a session; return its client and its upstream."""
        client, ours = socket.socketpair()
        upstream, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)
        for sock in (client, upstream):
            sock.settimeout(10)
        numbers = (ours.fileno(), theirs.fileno())
        assert self.channel.attach(Adopt(key, as_new(to_upstream, to_client)), numbers)
        ours.close()
        theirs.close()
        return client, upstream


@pytest.fixture
def process():
    process = Process()
    yield process
    process.channel.sock.close()
    assert process.process.wait(10) == 0
    process.shared.close()


def test_it_carries_what_it_is_handed_and_tells_how_it_ended(process):
    client, upstream = process.adopt(7, 100, 200)
    client.sendall(b"question")
    assert upstream.recv(10) == b"question"
    upstream.sendall(b"ans")
    assert client.recv(10) == b"ans"
    process.channel.send(Ask())
    assert process.hear() == Told(False, 0, ((7, 108, 203),))
    upstream.close()
    assert client.recv(10) == b""
    client.close()
    assert process.hear() == Ended(7, Event.UPSTREAM_END, 108, 203)
    process.channel.send(Ask())
    assert process.hear() == Told(False, 0, ())


def test_what_came_before_the_handover_is_carried_too(process):
    client, ours = socket.socketpair()
    upstream, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
    client.sendall(b"early")
    client.close()
    upstream.settimeout(10)
    assert process.channel.attach(Adopt(1, as_new()), (ours.fileno(), theirs.fileno()))
    ours.close()
    theirs.close()
    assert upstream.recv(10) == b"early"
    assert upstream.recv(10) == b""
    upstream.close()
    assert process.hear() == Ended(1, Event.CLIENT_END, 5, 0)


def test_without_descriptors_a_session_ends_and_others_go_on(process):
    first = process.adopt(1)
    first[0].sendall(b"on")
    assert first[1].recv(2) == b"on"
    pid = process.process.pid
    former = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = {int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir()}
    for limit in [number for number in range(1000) if number not in used][:2]:  # none free, one
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, former[1]))
        second = process.adopt(2, 30, 40)
        assert process.hear() == Ended(2, Event.CUT, 30, 40)
        assert second[0].recv(1) == second[1].recv(1) == b""
        for sock in second:
            sock.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, former)
    third = process.adopt(3)
    for one in (first, third):
        one[0].sendall(b"on")
        assert one[1].recv(2) == b"on"
        for sock in one:
            sock.close()


def test_what_it_carries_is_returned_when_that_is_asked_for(process):
    client, upstream = process.adopt(7, 100, 200)
    client.sendall(b"question")
    assert upstream.recv(10) == b"question"
    client.shutdown(socket.SHUT_WR)
    assert upstream.recv(10) == b""
    process.channel.send(Back(9))
    returned = process.hear()
    assert isinstance(returned, Return)
    assert (returned.key, returned.passed.state) == (7, State.CLIENT_ENDED)
    assert returned.passed.client.received == 108
    assert returned.passed.event is Event.CLIENT_END
    ours, theirs = (socket.socket(fileno=one) for one in process.descriptors)
    upstream.sendall(b"answer")
    assert theirs.recv(10) == b"answer"
    process.channel.send(Ask())
    assert process.hear() == Told(False, 0, ())
    for sock in (ours, theirs, client, upstream):
        sock.close()


def test_a_session_is_cut_by_its_key_and_no_other(process):
    first, second = process.adopt(1), process.adopt(2)
    process.channel.send(Cut(1))
    process.channel.send(Cut(99))
    assert process.hear() == Ended(1, Event.CUT, 0, 0)
    assert first[0].recv(1) == b""  # a unix socket knows no reset but by unread bytes
    second[0].sendall(b"on")
    assert second[1].recv(2) == b"on"
    for sock in (*first, *second):
        sock.close()


def test_an_end_is_told_when_it_can_be_seen(process):
    for key in range(300):
        client, upstream = process.adopt(key)
        process.channel.send(Cut(key))
        assert select.select([process.channel.sock], [], [], 10)[0]
        ((message, _),) = process.channel.receive()
        assert message == News((Ended(key, Event.CUT, 0, 0),))
        for sock in (client, upstream):
            sock.setblocking(False)
            assert sock.recv(1) == b""
            sock.close()


def test_a_signal_for_the_whole_group_does_not_end_it(process):
    client, upstream = process.adopt(1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process.process.pid, number)
    client.sendall(b"on")
    assert upstream.recv(2) == b"on"
    client.close()
    upstream.close()


def test_without_the_relay_it_goes_on_to_its_last_session_and_then_a_signal_ends_it(process):
    first, second = process.adopt(1), process.adopt(2)
    process.channel.sock.close()
    for client, upstream in (first, second):
        client.sendall(b"on")
        assert upstream.recv(2) == b"on"
    first[0].close()
    first[1].close()
    second[0].sendall(b"on")
    assert second[1].recv(2) == b"on"
    assert process.process.poll() is None
    second[0].close()
    assert second[1].recv(1) == b""
    second[1].close()
    assert process.process.wait(10) == 0


def test_without_the_relay_sigterm_ends_it():
    process = Process()
    client, upstream = process.adopt(1)
    client.sendall(b"on")
    assert upstream.recv(2) == b"on"
    process.channel.sock.close()

    def ends():
        os.kill(process.process.pid, signal.SIGTERM)
        return process.process.poll() is not None

    until(ends, 10)
    assert process.process.poll() == -signal.SIGTERM
    client.close()
    upstream.close()
    process.shared.close()


def test_it_imports_no_more_than_it_needs():
    script = (
        "import sys; import ambassador.planes.relay.worker_main;"
        "print(sorted({'asyncio', 'dataclasses', 'uvloop', 'logging'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script],
        env=unmeasured(os.environ),  # what measures coverage imports some of it
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "[]"
