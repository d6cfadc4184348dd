"""SIGUSR2: the program on disk takes over from the one that runs."""

import os
import signal
import socket

import pytest

from ambassador.admin import client
from ambassador.core.commands import Status
from tests.ports import free_port
from tests.program import Program, is_ready
from tests.wait import until


@pytest.fixture
def notified(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(20)
        yield sock


def hears(sock: socket.socket, word: str) -> str:
    while True:
        for line in sock.recv(4096).decode().splitlines():
            if line.startswith(f"{word}="):
                return line.partition("=")[2]


def asks(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(b"question")
        assert sock.recv(8, socket.MSG_WAITALL) == b"question"


def test_systemd_is_told_whom_to_look_after_from_then_on(peers, tmp_path, notified):
    port, admin = free_port(), tmp_path / "admin.sock"
    with Program(
        f"DB_PORT_{port}_TCP=tcp://127.0.0.1:{peers.echo().port}",
        AMBASSADOR_ADMIN=str(admin),
        NOTIFY_SOCKET=notified.getsockname(),
        WATCHDOG_USEC="100000",
    ) as program:
        hears(notified, "READY")
        assert until(lambda: is_ready(admin))
        program.send(signal.SIGUSR2)
        pid = int(hears(notified, "MAINPID"))
        try:
            assert program.process.wait(15) == 0  # its log goes on: the successor writes it
            asks(port)
            assert client.ask(admin, Status()).pid == pid
            hears(notified, "WATCHDOG")  # of the successor: the other is gone
        finally:
            os.kill(pid, signal.SIGTERM)
        hears(notified, "STOPPING")


def test_a_successor_that_fails_changes_nothing_and_is_told_of(peers):
    port = free_port()
    with Program(f"DB_PORT_{port}_TCP=tcp://127.0.0.1:{peers.echo().port}") as program:
        program.started()
        program.send(signal.SIGUSR2)
        said = program.wait_for("not_replaced")
        assert "ended with 2; this one goes on" in said  # it has no admin socket to ask at
        asks(port)
        program.send(signal.SIGUSR2)  # and it may be tried again
        assert until(lambda: len(program.said("not_replaced")) == 2, 15)
