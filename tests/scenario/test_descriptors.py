"""Clients use up all descriptors they may have: what is asked of the program is answered still."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.program import Program, is_ready
from tests.relay.peers import Peers
from tests.wait import until

_LIMIT = ("prlimit", "--nofile=256:256")


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.settimeout(5)
        sock.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        return sock.recv(15) == b"HTTP/1.1 200 OK"
    return False


@pytest.mark.parametrize("routes", [1, 40])
def test_the_admin_socket_and_monitors_are_answered_while_clients_wait(
    tmp_path: Path, peers: Peers, routes: int
) -> None:
    echo, admin, monitor = peers.echo(), tmp_path / "admin.sock", free_port()
    ports = [free_port() for _ in range(routes)]
    arguments = [
        f"R{n}_PORT_{port}_TCP=tcp://127.0.0.1:{echo.port}" for n, port in enumerate(ports)
    ]
    more = {"AMBASSADOR_WORKERS": "0", "AMBASSADOR_METRICS": f"127.0.0.1:{monitor}"}
    with Program(*arguments, before=_LIMIT, AMBASSADOR_ADMIN=str(admin), **more) as program:
        until(lambda: is_ready(admin), 15)
        for _ in range(150):
            peers.connect(ports[0]).sendall(b"x")
        program.wait_for("descriptors_exhausted")
        for _ in range(200):
            peers.connect(monitor)  # and says nothing
        assert is_ready(admin)
        assert _answers(monitor)
        assert echo.open > 20


def test_two_udp_routes_leave_room_for_tcp_and_the_admin_socket(
    tmp_path: Path, peers: Peers
) -> None:
    echo, admin, port = peers.echo(), tmp_path / "admin.sock", free_port()
    service = peers.datagrams()
    to = service.getsockname()[1]
    udp = [free_port() for _ in range(2)]
    arguments = [f"U{n}_PORT_{one}_UDP=udp://127.0.0.1:{to}" for n, one in enumerate(udp)]
    arguments.append(f"T_PORT_{port}_TCP=tcp://127.0.0.1:{echo.port}")
    more = {"AMBASSADOR_WORKERS": "0", "AMBASSADOR_ADMIN": str(admin)}
    with Program(*arguments, before=_LIMIT, **more) as program:
        until(lambda: is_ready(admin), 15)
        for number in range(300):
            client = peers.datagrams()
            for one in udp:
                client.sendto(b"x", ("127.0.0.1", one))
            if number % 20 == 0:
                assert is_ready(admin)
        program.wait_for("flows_displaced")
        client = peers.connect(port)
        client.settimeout(10)
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        assert is_ready(admin)


def test_the_number_to_allow_that_is_told_is_enough(tmp_path: Path, peers: Peers) -> None:
    """A range that is far larger than the limit: four times as many would not do."""
    first = free_port()
    first -= 2000 if first > 50000 else 0
    to = peers.datagrams().getsockname()[1]
    wide = f"X_PORT_{first}_UDP=udp://127.0.0.1:{to}-{to + 1199}"
    shifted = f"X_PORT_{first}_UDP_LISTEN=127.0.0.7:{first}-{first + 1199}"
    admin = tmp_path / "admin.sock"
    where = {"AMBASSADOR_ADMIN": str(admin)}
    told = subprocess.run(
        [*_LIMIT, sys.executable, "-m", "ambassador", "run", wide, shifted],
        env={**os.environ, **where},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert told.returncode == 1
    (enough,) = re.findall(r"--ulimit nofile=(\d+:\d+)", told.stderr)
    with Program(wide, shifted, before=("prlimit", f"--nofile={enough}"), **where):
        until(lambda: is_ready(admin), 15)
