"""Run a command on a terminal of its own, and say what a user would see there."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

__all__ = ["Terminal"]


class Terminal:
    """A pseudo-terminal with a process on it; `seen` is all its output so far."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.seen = ""
        self._ours, theirs = pty.openpty()
        try:
            self.process = subprocess.Popen(
                command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
            )
        finally:
            os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def read_until(self, condition: Callable[[str], bool], within: float = 10.0) -> str:
        """Return what is seen once `condition` is true of it."""
        deadline = time.monotonic() + within
        while not condition(self.seen):
            left = deadline - time.monotonic()
            assert left > 0, f"not within {within} s; seen: {self.seen!r}"
            if select.select([self._ours], [], [], left)[0]:
                try:
                    self.seen += os.read(self._ours, 65536).decode()
                except OSError:  # EIO: the last process has left it (pty(7))
                    assert condition(self.seen), f"ended; seen: {self.seen!r}"
        return self.seen

    def read_to_end(self, within: float = 10.0) -> str:
        """Return all that is seen until the process ends."""
        self.process.wait(within)
        while select.select([self._ours], [], [], 0)[0]:
            try:
                self.seen += os.read(self._ours, 65536).decode()
            except OSError:
                break
        return self.seen
