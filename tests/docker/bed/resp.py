"""Speak to Redis from a host's network: `inside` is the prefix that runs a command there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from . import client
from .command import run
from .engine import Engine


class Session:
    """One connection to Redis, opened at its first command."""

    def __init__(self, send: IO[str], read: IO[str]) -> None:
        self._send, self._read = send, read

    def say(self, command: str) -> None:
        """Send one command, words separated by blanks, and do not wait for its answer."""
        self._send.write(command + "\n")
        self._send.flush()

    def hear(self) -> str:
        """Return the next answer; `gone` or nothing when the connection has ended."""
        return self._read.readline().strip()

    def ask(self, command: str) -> str:
        """Send one command and return its answer."""
        self.say(command)
        return self.hear()


def _argv(host: Engine, address: str, port: int) -> list[str]:
    return host.inside(sys.executable, client.__file__, address, str(port))


@contextmanager
def session(host: Engine, address: str, port: int = 6379) -> Iterator[Session]:
    """Open one connection from the network of `host`, and end it with the block."""
    argv = _argv(host, address, port)
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, text=True, stdin=pipe, stdout=pipe) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield Session(process.stdin, process.stdout)
        finally:
            process.kill()


def ask(host: Engine, command: str, address: str, port: int = 6379) -> str:
    """Send one command over a new connection; return its answer, or `gone`."""
    done = run(_argv(host, address, port), text=command + "\n", within=25)
    return done.stdout.strip()


def first_pong(host: Engine, address: str, port: int = 6379, *, within: float = 10) -> float:
    """Knock until a PONG comes; return when it came, as `time.monotonic` tells."""
    return float(run([*_argv(host, address, port), str(within)], within=within + 30).stdout)
