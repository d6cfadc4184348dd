"""A consumer that asks 1,000 times a second, in a process of its own, and its echo in another.

`python -m tests.scenario.ticking ECHO_PORT PORT PID` connects to PORT, behind which the echo on
ECHO_PORT is. For each line on stdin it writes the longest that an answer has taken since the last,
in seconds, without what process PID waited for a CPU meanwhile: other programs run here, too.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import sys
import time
from pathlib import Path

_EVERY = 0.001  # seconds
_THREADS_AGAIN = 50  # questions until it is looked for new threads
_NOTABLE = 0.005  # below, it is not asked who had the CPU


def echo(listening: socket.socket) -> None:
    """Return what comes, to one client."""
    sock, _ = listening.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := sock.recv(64):
        sock.sendall(data)


class Queued:
    """How long the threads of a process have waited for a CPU, all together, in seconds, since the
    last question (the second word of schedstat, Documentation/scheduler/sched-stats.rst of Linux).
    One that holds the interpreter and has no CPU keeps the others waiting, too.
    """

    def __init__(self, pid: int) -> None:
        self._tasks = Path(f"/proc/{pid}/task")
        self._files: dict[str, int] = {}
        self._asked = 0
        self._last: dict[str, float] = {}
        self.since()

    def since(self) -> float:
        if self._asked % _THREADS_AGAIN == 0:
            for task in self._tasks.iterdir():
                name = task.name
                if name not in self._files:
                    self._files[name] = os.open(task / "schedstat", os.O_RDONLY)
        self._asked += 1
        waited = 0.0
        for name, file in list(self._files.items()):
            try:
                now = int(os.pread(file, 100, 0).split()[1]) / 1e9
            except (OSError, IndexError):  # it has ended
                os.close(self._files.pop(name))
                continue
            waited += now - self._last.get(name, now)
            self._last[name] = now
        return waited


def tick(sock: socket.socket, ambassador: Queued, own: Queued) -> None:
    """Ask and answer until stdin ends."""
    longest = 0.0
    due = time.monotonic()
    while True:
        if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            if not sys.stdin.readline():
                return
            sys.stdout.write(f"{longest}\n")
            sys.stdout.flush()
            longest = 0.0
            continue
        ambassador.since()
        own.since()
        began = time.monotonic()
        sock.sendall(b"question")
        sock.recv(8, socket.MSG_WAITALL)
        took = time.monotonic() - began
        if took > _NOTABLE:
            took -= ambassador.since() + own.since()
        longest = max(longest, took)
        due = max(due + _EVERY, began)


def main(echo_port: int, port: int, pid: int) -> None:
    """Start both."""
    listening = socket.create_server(("127.0.0.1", echo_port))
    if os.fork() == 0:
        echo(listening)
        os._exit(0)
    listening.close()
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        gc.disable()
        tick(sock, Queued(pid), Queued(os.getpid()))
    os.wait()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
