"""A real ambassador that is operated: one route, `web`, and two endpoints it may lead to."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ambassador.cli.verbs import invoke
from tests.ports import free_port
from tests.program import Program, is_ready
from tests.relay.echo import Echo
from tests.wait import until

__all__ = ["Ended", "Operated"]


class Ended(NamedTuple):
    """How a verb has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Operated:
    """Runs the program; verbs are run in this process and ask it over its admin socket."""

    def __init__(self, folder: Path) -> None:
        self.admin = folder / "admin.sock"
        self.port = free_port()
        self._stack = ExitStack()
        self.first, self.second = self._echo(), self._echo()
        self.dead = f"tcp://127.0.0.1:{free_port()}"
        link = f"WEB_PORT_{self.port}_TCP"
        self.program = Program(
            f"{link}=tcp://127.0.0.1:{self.first.port}",
            AMBASSADOR_ADMIN=str(self.admin),
            AMBASSADOR_GRACE="0",
        )
        self._stack.enter_context(self.program)
        until(lambda: is_ready(self.admin), 15)

    def _echo(self) -> Echo:
        listening = self._stack.enter_context(socket.create_server(("127.0.0.1", free_port())))
        echo = Echo(listening)
        self._stack.callback(echo.close)
        return echo

    def close(self) -> None:
        with self._stack:
            assert self.program.stop() == 0
        assert self.program.rest == []

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def __call__(self, *arguments: str, capsys: pytest.CaptureFixture[str]) -> Ended:
        capsys.readouterr()
        code = invoke([*arguments, "--admin", str(self.admin)])
        return Ended(code, *capsys.readouterr())


def url(echo: Echo) -> str:
    """Return where `echo` is, as an endpoint."""
    return f"tcp://127.0.0.1:{echo.port}"
