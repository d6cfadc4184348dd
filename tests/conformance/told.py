"""When sockets were reset, told by a process: a thread would take turns with what cuts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

from tests.kernel.peers import Ends

__all__ = ["Told"]

_WATCH = """
import select, sys, time
waiting = set(map(int, sys.argv[1:]))
poll = select.epoll()
for descriptor in waiting:
    poll.register(descriptor, select.EPOLLONESHOT)
print("watching", flush=True)
deadline = time.monotonic() + 10
told = []
while len(told) < len(waiting) and time.monotonic() < deadline:
    number = len(poll.poll(0.1, 4096))
    told += [time.monotonic()] * number
print(len(waiting) - len(told), told[0] if told else 0, told[-1] if told else 0)
"""


class Told:
    """Watches both ends of `ends` from now on."""

    def __init__(self, ends: Iterable[Ends]) -> None:
        numbers = [sock.fileno() for pair in ends for sock in pair]
        command = [sys.executable, "-S", "-c", _WATCH, *map(str, numbers)]
        self._process = subprocess.Popen(
            command, pass_fds=numbers, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "watching\n"

    def times(self) -> tuple[float, float]:
        """Wait until all have been reset; return when the first and the last (time.monotonic)."""
        untold, first, last = self._process.communicate(timeout=20)[0].split()
        assert untold == "0", f"{untold} sockets were not told"
        return float(first), float(last)
