"""What the first process has counted of its own sessions is not lost when it is killed."""

import socket
import urllib.request

import pytest

from ambassador.admin import client
from ambassador.core.commands import Sessions
from tests.ports import free_port
from tests.scenario.test_reclaim import killed
from tests.scenario.upgrading import asks

__all__ = ["killed"]  # a fixture


def whole(port):
    """Have a session of 16 bytes end at both sides."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(b"question")
        assert sock.recv(8, socket.MSG_WAITALL) == b"question"
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""


def closed(port):
    """Return how many sessions of the route have ended, for any reason, as metrics tell."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    wanted = [one for one in lines if one.startswith("ambassador_sessions_closed_total{")]
    return sum(int(float(one.split()[-1])) for one in wanted if 'route="x"' in one)


@pytest.mark.parametrize("last", [1, 30, 200])
def test_each_session_is_counted_though_it_ended_in_the_moment_of_the_kill(killed, run, last):
    port = free_port()
    route = (run.route, f"X_PORT_{port}_TCP=tcp://127.0.0.1:{run.echo.port}")
    route += (f"X_PORT_{port}_TCP_LIMIT=100",)  # so no worker accepts there
    metrics = free_port()
    killed.first(*route, AMBASSADOR_METRICS=f"127.0.0.1:{metrics}")
    kept = killed.peers.connect(run.port)
    killed.carried(kept)
    counted = 0
    for kills in range(1, 4):
        for _ in range(last):
            whole(port)
        killed.kill()
        counted += last
        killed.next(*route, AMBASSADOR_METRICS=f"127.0.0.1:{metrics}")
        (other,) = [one for one in run.status().routes if one.name == "x"]
        assert (other.open, other.opened) == (0, counted)
        assert closed(metrics) == counted
        # The client of the last session may have seen its end just before it was counted.
        for carried in (other.to_upstream, other.to_client):
            assert 8 * (counted - kills) <= carried <= 8 * counted
        asks(kept)


def test_ids_of_the_last_moment_are_not_given_again(killed, run):
    port = free_port()
    route = (run.route, f"X_PORT_{port}_TCP=tcp://127.0.0.1:{run.echo.port}")
    route += (f"X_PORT_{port}_TCP_LIMIT=100",)
    killed.first(*route)
    killed.carried(killed.peers.connect(run.port))
    for _ in range(40):
        whole(port)
    killed.kill()
    killed.next(*route)
    asks(killed.peers.connect(port))
    (found,) = [one for one in client.ask(run.admin, Sessions()).sessions if one.route == "x"]
    assert int(found.id.rpartition(".")[2]) > 40
