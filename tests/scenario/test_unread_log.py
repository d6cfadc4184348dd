"""Nobody reads the log: a stalled log driver, a pipe whose reader sleeps (containerd#9342)."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess

import pytest

from tests.answering import saying
from tests.ports import free_port
from tests.program import COMMAND, clean_environ, is_ready
from tests.wait import until

_SMALLEST = 4096  # bytes of a pipe: one page (fcntl(2), F_SETPIPE_SZ)


def _ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.settimeout(10)
        client.sendall(b"x")
        return client.recv(1)


@pytest.fixture
def unread(tmp_path):
    """An ambassador that logs each session to a pipe nobody reads: process, port, pipe."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _SMALLEST)
    port, admin = free_port(), tmp_path / "admin.sock"
    with saying(b"x") as echo:
        process = subprocess.Popen(
            (*COMMAND, "run", f"X_PORT_{port}_TCP=tcp://127.0.0.1:{echo}"),
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            env=clean_environ(
                AMBASSADOR_LEVEL="debug",
                AMBASSADOR_ADMIN=str(admin),
                AMBASSADOR_ACCESS_LOG="-",
            ),
        )
        os.close(writing)
        until(lambda: is_ready(admin), 15)
        yield process, port, reading, admin
        process.kill()
        process.wait()
    os.close(reading)


def test_clients_and_the_admin_socket_are_served_and_sigterm_ends_it(unread):
    process, port, _, admin = unread
    for _ in range(150):  # some 40 KB of lines
        assert _ask(port) == b"x"
    assert is_ready(admin)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
