"""Run a command on a terminal of its own, and say what a user would see there."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence

import pyte

__all__ = ["Screen", "Terminal"]


class Terminal:
    """A pseudo-terminal with a process on it; `seen` is all its output so far."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        size: tuple[int, int] | None = None,
    ) -> None:
        self.seen = ""
        self._ours, theirs = pty.openpty()
        if size is not None:
            self.set_size(*size)
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

    def set_size(self, rows: int, columns: int) -> None:
        """Have another size."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

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


class Screen(Terminal):
    """What a terminal that understands `TERM=linux` shows: `text`, a line a row."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], columns: int = 120, rows: int = 30
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        super().__init__(command, env, (rows, columns))

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        self.set_size(rows, columns)
        # it is not a terminal that controls the process, so the kernel tells nobody
        self.process.send_signal(signal.SIGWINCH)

    def see(self, text: str, within: float = 20.0) -> str:
        """Wait until `text` is on the screen, and return all that is."""
        return self.wait(lambda shown: text in shown, within, repr(text))

    def wait(self, condition: Callable[[str], bool], within: float = 20.0, what: str = "it") -> str:
        """Wait until `condition` is true of what is on the screen, and return that."""
        deadline = time.monotonic() + within
        while not condition(self.text):
            left = deadline - time.monotonic()
            assert left > 0, f"{what} not within {within} s on\n{self.text}"
            if select.select([self._ours], [], [], left)[0]:
                data = os.read(self._ours, 65536)
                self.seen += data.decode(errors="replace")
                self._stream.feed(data)
        return self.text
