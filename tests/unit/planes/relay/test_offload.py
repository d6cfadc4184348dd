"""Which sessions are handed to workers, with a relay that decides as it does in earnest."""

import asyncio
import errno
import os
import signal
import threading
import time

import pytest
import uvloop

from ambassador.model import Reason
from ambassador.planes.relay import offload as module
from ambassador.planes.relay import worker_main
from ambassador.planes.relay.outlive import Outlive
from tests.ports import free_port
from tests.relay.peers import is_reset, read_exactly
from tests.relay.running import RunningRelay, route
from tests.wait import until


@pytest.fixture
def relay(monkeypatch, peers):
    """A relay with at most two workers, and a route to an echo."""
    monkeypatch.setattr(module.Offload, "idle", 0.2)
    relay = Relay(peers)
    yield relay
    relay.close()


class Relay(RunningRelay):
    def __init__(self, peers):
        super().__init__(uvloop.new_event_loop, buffer=65536, backlog=128, workers=2, eager=False)
        self.port = free_port()
        self.add(route(self.port, peers.echo().port))

    def loads(self):
        """How many sessions each worker has."""
        return self.call(lambda: [len(worker) for worker in self.plane.offload.workers])

    def busy(self, *clients, until_true, rounds=200_000):
        """Ask and answer, until it comes to that."""
        for number in range(rounds):
            for client in clients:
                client.sendall(b"question")
                assert read_exactly(client, 8) == b"question"
            if number % 50 == 0 and until_true():
                return
        raise AssertionError(f"it does not come to that: {self.loads()}")


def test_busy_sessions_are_shared_by_workers_and_counted_all_the_same(relay, peers):
    clients = [peers.connect(relay.port) for _ in range(6)]
    relay.busy(*clients, until_true=lambda: relay.loads() == [3, 3])
    status = relay.status()
    assert (status.open, status.opened) == (6, 6)
    assert status.to_upstream == status.to_client > 0
    before = status.to_upstream
    for client in clients:
        client.sendall(b"question")
        assert read_exactly(client, 8) == b"question"
    assert relay.status().to_upstream == before + 48
    views = relay.do(relay.plane.sessions())
    assert sorted(view.client for view in views) == sorted(
        f"127.0.0.1:{client.getsockname()[1]}" for client in clients
    )
    assert sum(view.to_client for view in views) == before + 48
    for client in clients:
        client.close()
    until(lambda: relay.status().open == 0)
    assert relay.status().to_client == before + 48
    until(lambda: relay.loads() == [])  # nothing to do: they end


def test_one_worker_gets_the_sessions_of_the_others_where_it_is_to_outlive_the_relay(
    relay, peers, tmp_path
):
    outlive = Outlive(tmp_path / "admin.sock", 60)
    offload = relay.plane.offload
    relay.call(lambda: vars(offload).update(outlive=outlive, idle=60.0))
    clients = [peers.connect(relay.port) for _ in range(80)]
    relay.busy(*clients, until_true=lambda: relay.loads() == [40, 40])
    relay.call(lambda: vars(offload).update(idle=0.2))
    relay.call(offload._look)
    until(lambda: relay.loads() == [80])
    for client in clients:
        client.sendall(b"question")
        assert read_exactly(client, 8) == b"question"
    assert relay.loads() == [80]
    for client in clients:
        client.close()
    until(lambda: relay.status().open == 0)
    assert relay.status().opened == 80
    until(lambda: relay.loads() == [])  # nothing to do: it ends


def test_one_busy_session_needs_one_worker(relay, peers):
    client = peers.connect(relay.port)
    relay.busy(client, until_true=lambda: relay.loads() == [1])
    client.close()


def test_sessions_that_are_over_in_a_moment_are_not_handed_over_but_accepted_there(relay, peers):
    def ask():
        with peers.connect(relay.port) as client:
            client.sendall(b"question")
            assert read_exactly(client, 8) == b"question"

    asked = 0
    while not relay.loads() or asked < 600:
        ask()
        asked += 1

    def accepted_there():
        ask()
        workers = relay.call(lambda: relay.plane.offload.workers)
        return sum(one.begun for one in workers)

    before = relay.status().opened
    until(accepted_there)
    asked += relay.status().opened - before
    for _ in range(100):
        ask()
    until(lambda: relay.status().open == 0)
    assert relay.status().opened == asked + 100


def test_a_quiet_session_stays(relay, peers):
    client = peers.connect(relay.port)
    relay.call(lambda: setattr(relay.plane.offload, "_busy", -1.0))  # all turns were slow
    for _ in range(1000):
        client.sendall(b"question")
        assert read_exactly(client, 8) == b"question"
    assert relay.loads() == []


def test_a_worker_that_dies_ends_its_sessions_only_and_another_takes_over_later(
    relay, peers, caplog, monkeypatch
):
    monkeypatch.setattr(module, "_AGAIN", 0.1)
    first, other = peers.connect(relay.port), peers.connect(relay.port)
    relay.busy(first, until_true=lambda: relay.loads() == [1])
    (worker,) = relay.call(lambda: relay.plane.offload.workers)
    os.kill(worker.process.pid, signal.SIGKILL)
    assert is_reset(first) or first.recv(1) == b""
    until(lambda: "which carried sessions, has ended (-9)" in caplog.text)
    assert relay.status().open == 1
    relay.busy(other, until_true=lambda: relay.loads() == [1])
    assert {reason.value for reason in relay.status().closed} == {"cut"}


def no_more():
    raise BlockingIOError(errno.EAGAIN, "no more processes are allowed")


def test_where_no_process_can_be_started_all_stay(relay, peers, caplog, monkeypatch):
    monkeypatch.setattr("os.fork", no_more)
    client = peers.connect(relay.port)
    relay.busy(client, until_true=lambda: "cannot start a process" in caplog.text)
    relay.busy(client, until_true=lambda: True)
    assert relay.loads() == []


def test_one_that_does_not_begin_is_ended(relay, peers, caplog, monkeypatch):
    monkeypatch.setattr(module, "_LATE", 0.2)
    with monkeypatch.context() as patch:
        patch.setattr(worker_main, "main", lambda *_: signal.pause())
        client = peers.connect(relay.port)
        relay.busy(client, until_true=lambda: "has ended (-9)" in caplog.text)
    assert relay.loads() == []


def test_the_end_of_sessions_in_workers_is_heard_when_the_relay_closes(relay, peers):
    clients = [peers.connect(relay.port) for _ in range(6)]
    relay.busy(*clients, until_true=lambda: relay.loads() == [3, 3])
    (relay_route,) = relay.call(lambda: list(relay.plane._routes.values()))
    counters = relay_route.live.counters
    relay.end()
    assert counters.open == 0
    assert {reason.value: count for reason, count in counters.closed.items()} == {"shutdown": 6}
    assert all(map(is_reset, clients))


def test_a_worker_that_hears_nothing_does_not_keep_the_relay_from_stopping(relay, peers):
    client = peers.connect(relay.port)
    relay.busy(client, until_true=lambda: relay.loads() == [1])
    (worker,) = relay.call(lambda: relay.plane.offload.workers)
    os.kill(worker.process.pid, signal.SIGSTOP)
    assert relay.do(relay.plane.drain(0.1), 10) == 1
    relay.end()
    assert worker.process.poll() == -signal.SIGKILL
    assert is_reset(client)


def test_who_does_not_tell_its_numbers_is_not_waited_for(relay, peers, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    client = peers.connect(relay.port)
    relay.busy(client, until_true=lambda: relay.loads() == [1])
    (worker,) = relay.call(lambda: relay.plane.offload.workers)
    os.kill(worker.process.pid, signal.SIGSTOP)
    try:
        relay.do(asyncio.wait_for(relay.plane.measure(), 5))
    finally:
        os.kill(worker.process.pid, signal.SIGCONT)
    client.sendall(b"question")
    assert read_exactly(client, 8) == b"question"
    assert relay.status().open == 1


def test_a_worker_that_is_asked_nothing_as_it_stands_still_is_not_let_go(relay, peers, monkeypatch):
    monkeypatch.setattr(module.Offload, "idle", 60)
    client = peers.connect(relay.port)
    relay.busy(client, until_true=lambda: relay.loads() == [1])
    (worker,) = relay.call(lambda: relay.plane.offload.workers)
    client.close()
    until(lambda: relay.status().open == 0)
    os.kill(worker.process.pid, signal.SIGSTOP)
    try:
        relay.call(lambda: worker.when_it_answers(lambda: None))
        until(lambda: worker.stands_still(time.monotonic()))
        relay.do(relay.plane.offload.dismiss(), 10)
        assert relay.call(lambda: relay.plane.offload.workers) == (worker,)
    finally:
        os.kill(worker.process.pid, signal.SIGCONT)


def test_workers_that_are_let_go_while_clients_come_leave_no_session_untold(relay, peers):
    stop, made = threading.Event(), []

    def come():
        count = 0
        while not stop.is_set():
            with peers.connect(relay.port) as sock:
                sock.sendall(b"question")
                assert read_exactly(sock, 8) == b"question"
            count += 1
        made.append(count)

    threads = [threading.Thread(target=come) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(15):
            until(lambda: any(one.is_ready for one in relay.plane.offload.workers), 20)
            relay.do(relay.plane.offload.dismiss())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    until(lambda: relay.status().open == 0)
    status = relay.status()
    assert status.opened == sum(made)
    assert status.to_upstream == status.to_client == 8 * sum(made)
    assert status.closed.get(Reason.CUT, 0) == 0
