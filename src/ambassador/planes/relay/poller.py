"""One epoll set for all sockets of sessions, edge-triggered and registered once.

An event loop's transports cost a registration for each change of mind (pause, resume, end), see no
reset of a side nobody reads from, and are objects of several hundred bytes. Here a socket is
registered once for everything; epoll(7) tells each edge, among them the reset of a side that is
held back or has ended. The set is itself one readable descriptor, so it works inside any loop, or
alone, by its timeout.

Nothing here needs asyncio: it also runs in a process that has none.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable
from typing import Protocol

__all__ = ["EDGES", "LEVEL", "Pausing", "Poller", "Ready"]

EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
LEVEL = select.EPOLLIN  # told again for as long as there is something: listeners
_AT_ONCE = 128  # events of one turn, before other work of the process has its own
# One read: at 64 KiB a bulk transfer took 20 % more CPU a byte, beyond 256 KiB nothing was gained.
_LARGEST_READ = 256 << 10


class Ready(Protocol):
    """What is told of the events of one descriptor."""

    def ready(self, events: int) -> None:
        """React to `events` (EPOLLIN, ...; epoll_ctl(2))."""


class Pausing(Protocol):
    """What may have more to read than one turn should take."""

    def pump(self) -> None:
        """Read on."""


class Poller:
    """Tells who is ready. `buffer` is the most bytes one read takes, and so the most one direction
    holds unsent; `failed` hears of each exception that a `ready` lets pass.
    """

    def __init__(self, buffer: int, failed: Callable[[Exception], None]) -> None:
        self.buffer = bytearray(min(buffer, _LARGEST_READ))  # shared: empty again after each read
        self.view = memoryview(self.buffer)
        self.size = len(self.buffer)
        self.again: list[Pausing] = []  # those to go on with in the next turn
        self._failed = failed
        self._epoll = select.epoll()
        self._watched: dict[int, Ready] = {}
        self._closing: list[socket.SocketType] = []
        self._turning = False

    def __len__(self) -> int:
        return len(self._watched)

    def fileno(self) -> int:
        """Return the descriptor that is readable while somebody is ready."""
        return self._epoll.fileno()

    def add(self, fd: int, who: Ready, events: int = EDGES) -> None:
        """Tell `who` of `events` of `fd`, the present ones first."""
        self._watched[fd] = who
        self._epoll.register(fd, events)

    def give(self, fd: int, who: Ready) -> None:
        """From now on `who` is told of `fd`, which was added before."""
        self._watched[fd] = who

    def remove(self, fd: int) -> None:
        """Tell nothing of `fd`, which stays open."""
        if self._watched.pop(fd, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(fd)

    def close_socket(self, sock: socket.SocketType) -> None:
        """Close `sock`, which may have been added. Within a turn that is put off to its end: an
        event of this turn must not meet a new socket with the same number.
        """
        self._watched.pop(sock.fileno(), None)  # close(2) takes it out of the epoll set
        if self._turning:
            self._closing.append(sock)
        else:
            sock.close()

    def turn(self, timeout: float = 0.0) -> None:
        """Tell all who are ready, after at most `timeout` seconds (-1: however long)."""
        self._turning = True
        if self.again:
            timeout = 0.0
            again, self.again = self.again, []
            for pausing in again:
                try:
                    pausing.pump()
                except Exception as error:
                    self._failed(error)
        get = self._watched.get
        for fd, events in self._epoll.poll(timeout, _AT_ONCE):
            who = get(fd)
            if who is not None:
                try:
                    who.ready(events)
                except Exception as error:
                    self._failed(error)
        self._turning = False
        if self._closing:
            closing, self._closing = self._closing, []
            for sock in closing:
                sock.close()

    def close(self) -> None:
        """Tell nothing any longer."""
        self._watched.clear()
        self.again.clear()
        self._epoll.close()
