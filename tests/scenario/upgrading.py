"""Ambassadors at one admin socket, one after the other, in front of one endpoint."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from ambassador.admin import client
from ambassador.core.commands import Status
from ambassador.core.results import StatusView
from tests.ports import free_port
from tests.program import COMMAND, Program, is_ready
from tests.relay.peers import Peers
from tests.wait import until

__all__ = ["Run", "asks", "children", "connections", "works"]


class Run:
    """Starts them. `command` is what is started."""

    def __init__(self, peers: Peers, folder: Path) -> None:
        self.programs: list[Program] = []
        self.port = free_port()
        self.admin = folder / "admin.sock"
        self.echo = peers.echo()
        self.command = COMMAND
        self.route = f"DB_PORT_{self.port}_TCP=tcp://127.0.0.1:{self.echo.port}"

    def __call__(self, *assignments: str, **environ: str | bool) -> Program:
        program = Program(
            *(assignments or (self.route,)),
            command=self.command,
            AMBASSADOR_ADMIN=str(self.admin),
            **environ,
        )
        self.programs.append(program)
        return program

    def first(self, *assignments: str, **environ: str) -> Program:
        program = self(*assignments, **environ).started()
        until(lambda: is_ready(self.admin), what="it is ready")
        return program

    def next(self, *assignments: str, **environ: str | bool) -> Program:
        program = self(*assignments, AMBASSADOR_UPGRADE="yes", **environ)
        program.wait_for("taken_over")
        return program

    def status(self) -> StatusView:
        return client.ask(self.admin, Status())

    def descriptors(self) -> int:
        """Return how many the last one has."""
        return len(os.listdir(f"/proc/{self.programs[-1].process.pid}/fd"))  # noqa: PTH208


def asks(sock: socket.socket, question: bytes = b"question") -> None:
    """Fail unless `sock` leads to an endpoint that returns what it is sent."""
    sock.sendall(question)
    assert sock.recv(len(question), socket.MSG_WAITALL) == question


def children(pid: int) -> list[int]:
    """Return the processes that process `pid` has started."""
    with contextlib.suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def connections(pid: int) -> int:
    """Return how many connections over TCP a process has."""
    inodes = set()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(str(one.readlink())[8:-1])
    rows = list[list[str]]()
    for name in ("tcp", "tcp6"):
        lines = Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
        rows += [line.split() for line in lines]
    return sum(row[3] == "01" and row[9] in inodes for row in rows)


def works(sock: socket.socket) -> None:
    """See asks; close it."""
    with sock:
        asks(sock)
