"""An ambassador that follows a primary is killed: nobody says any longer where that is."""

import select
import subprocess
from contextlib import ExitStack

import pytest

from tests.ports import free_port
from tests.relay.peers import is_reset
from tests.scenario.test_reclaim import killed
from tests.scenario.upgrading import asks, children, connections
from tests.wait import until

__all__ = ["killed"]  # a fixture


@pytest.fixture
def members(tmp_path):
    """Yield the ports of a primary and its replica."""
    ports = free_port(), free_port()
    with ExitStack() as stack:
        for port, more in zip(ports, ((), ("--replicaof", f"127.0.0.1 {ports[0]}")), strict=True):
            words = ("redis-server", "--port", str(port), "--dir", str(tmp_path), *more)
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield ports


def answer(sock):
    sock.sendall(b"PING\r\n")
    return sock.recv(100)


def test_workers_cut_the_sessions_to_a_primary_and_have_new_clients_wait(
    killed, peers, run, members
):
    followed = free_port()
    name = f"REDIS_PORT_{followed}_TCP"
    written = ",".join(f"tcp://127.0.0.1:{port}" for port in members)
    routes = run.route, f"{name}={written}", f"{name}_HEALTH=redis-primary"
    killed.first(*routes).wait_for("primary", 20)
    other, session = peers.connect(run.port), peers.connect(followed)
    pid = run.programs[-1].process.pid

    def carried():
        """Tell whether workers have both: the first process has only those that it asks."""
        asks(other)
        return answer(session) and children(pid) and connections(pid) <= len(members)

    until(carried, 20)
    killed.kill()
    assert is_reset(session)
    asks(other)
    waiting = peers.connect(followed)
    waiting.sendall(b"PING\r\n")
    assert not select.select([waiting], [], [], 0.3)[0]  # accepted by nobody yet
    killed.next(*routes)
    assert waiting.recv(100) == b"+PONG\r\n"
    asks(other)
