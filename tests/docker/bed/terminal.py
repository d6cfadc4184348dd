"""A program on a real terminal, as `docker run -i -t` wants one."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

# Device status report (ECMA-48, 8.3.35): redis-cli asks where the cursor is to learn how wide
# the terminal is, and waits for the answer.
CURSOR_QUERY, CURSOR_ANSWER = b"\x1b[6n", b"\x1b[1;80R"


class Terminal:
    """What was typed into a program, and what it shows."""

    def __init__(self, master: int) -> None:
        self._master = master
        self.shown = ""

    def type(self, line: str) -> None:
        """Type a line and press return."""
        os.write(self._master, line.encode() + b"\r")

    def wait_for(self, text: str, *, within: float = 20) -> None:
        """Read until `text` is shown, and forget everything up to it.

        Raises `AssertionError` with what is shown instead after `within` seconds.
        """
        deadline = time.monotonic() + within
        while text not in self.shown:
            ready, _, _ = select.select([self._master], [], [], deadline - time.monotonic())
            assert ready, f"no {text!r} within {within:g} s: {self.shown!r}"
            read = os.read(self._master, 4096)
            if CURSOR_QUERY in read:
                os.write(self._master, CURSOR_ANSWER)
            self.shown += read.decode(errors="replace")
        self.shown = self.shown.partition(text)[2]


@contextmanager
def terminal(argv: Sequence[str], env: Mapping[str, str]) -> Iterator[Terminal]:
    """Run `argv` on a new terminal, and end it with the block."""
    master, slave = pty.openpty()
    try:
        with subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env={**os.environ, **env}
        ) as process:
            os.close(slave)
            try:
                yield Terminal(master)
            finally:
                process.kill()
    finally:
        os.close(master)
