import asyncio
import contextlib
import errno
import os
import signal
import socket

import pytest

from ambassador.core.session import Event, State
from ambassador.planes.relay.doors import Doors
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.shared import Shared
from ambassador.planes.relay.worker import Worker
from ambassador.planes.relay.worker_messages import Passed, PassedSide
from tests.names import StaticResolver


class Handed:
    """Keeps what it is told."""

    def __init__(self):
        self.numbers = []
        self.end = asyncio.get_running_loop().create_future()

    def counted(self, to_upstream, to_client):
        self.numbers.append((to_upstream, to_client))

    def ended(self, event, to_upstream, to_client):
        self.end.set_result((event, to_upstream, to_client))


class Owner:
    """Keeps who is gone."""

    def __init__(self):
        self.lost = asyncio.get_running_loop().create_future()
        self.doors = Doors(StaticResolver(), lambda address, port: False)
        self.doors.shared = Shared(2)

    def ready(self, worker):
        pass

    def more(self):
        pass

    def gone(self, worker):
        self.lost.set_result(worker)


def run(trial):
    """Run `trial(worker, gone)` with a worker that is ready."""

    async def around():
        loop = asyncio.get_running_loop()
        poller = Poller(65536, lambda error: loop.call_exception_handler({"exception": error}))
        loop.add_reader(poller.fileno(), poller.turn)
        owner = Owner()
        gone = owner.lost
        worker = Worker(poller, owner, owner.doors, 1)
        while not worker.is_ready:
            await asyncio.sleep(0.001)
        try:
            await trial(worker, gone)
        finally:
            if not gone.done():
                worker.close()
            worker.wait()
            loop.remove_reader(poller.fileno())
            assert len(poller) == 0
            poller.close()
            owner.doors.shared.close()

    asyncio.run(asyncio.wait_for(around(), 20))


@contextlib.contextmanager
def handed_over(worker, to_upstream=0, to_client=0):
    """Hand over a session: what it is told, its key there, its client and its upstream."""
    client, ours = socket.socketpair()
    upstream, theirs = socket.socketpair()
    for sock in (client, upstream):
        sock.settimeout(10)
    for sock in (ours, theirs):
        sock.setblocking(False)
    handed = Handed()
    with ours, theirs:
        sides = [PassedSide(count, 0, True, False, 0) for count in (to_upstream, to_client)]
        passed = Passed(1, State.OPEN, Event.CUT, *sides)
        key = worker.hand(handed, passed, (ours, theirs))
    assert key is not None
    with client, upstream:
        yield handed, key, client, upstream


def test_a_session_is_carried_measured_and_heard_of():
    async def trial(worker, gone):
        with handed_over(worker, 5, 6) as (handed, _, client, upstream):
            assert len(worker) == 1
            client.sendall(b"abc")
            assert upstream.recv(3) == b"abc"
            await worker.measure()
            assert handed.numbers == [(8, 6)]
        event, *numbers = await handed.end
        assert event in {Event.CLIENT_END, Event.UPSTREAM_END}
        assert numbers == [8, 6]
        assert len(worker) == 0
        await worker.measure()  # of nothing

    run(trial)


def test_a_cut_ends_it():
    async def trial(worker, gone):
        with handed_over(worker) as (handed, key, _, _):
            worker.cut(key)
            assert await handed.end == (Event.CUT, 0, 0)

    run(trial)


def test_one_that_dies_takes_its_sessions_with_it_and_that_is_told():
    async def trial(worker, gone):
        with handed_over(worker) as (handed, key, client, upstream):
            os.kill(worker.process.pid, signal.SIGKILL)
            measuring = asyncio.get_running_loop().create_task(worker.measure())
            assert await handed.end == (None, 0, 0)
            assert await gone is worker
            await measuring  # does not wait for what cannot come
            assert client.recv(1) == upstream.recv(1) == b""
            worker.cut(key)  # too late, and no harm
            assert worker.wait() == -signal.SIGKILL

    run(trial)


def test_a_process_that_does_not_end_is_killed(monkeypatch):
    monkeypatch.setattr("ambassador.planes.relay.worker._PATIENCE", 0.2)

    async def trial(worker, gone):
        os.kill(worker.process.pid, signal.SIGSTOP)
        worker.close()
        assert worker.wait() == -signal.SIGKILL

    run(trial)


def test_without_a_process_nothing_is_left(monkeypatch):
    def no_more():
        raise BlockingIOError(errno.EAGAIN, "no more processes are allowed")

    async def failing():
        poller, owner = Poller(65536, lambda error: None), Owner()
        monkeypatch.setattr("os.fork", no_more)
        with pytest.raises(BlockingIOError):
            Worker(poller, owner, owner.doors, 1)
        assert len(poller) == 0
        poller.close()
        owner.doors.shared.close()

    asyncio.run(failing())
