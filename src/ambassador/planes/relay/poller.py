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
from collections.abc import Callable, Sequence
from typing import Protocol

from ambassador.core.memory import Memory

__all__ = ["EDGES", "LEVEL", "Pausing", "Poller", "Ready"]

EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLPRI | select.EPOLLET
LEVEL = select.EPOLLIN  # told again for as long as there is something: listeners
_AT_ONCE = 128  # events of one turn, before other work of the process has its own
# One read. Over loopback, CPU seconds a GB: 0.5 at 64 KiB, 0.4 at 256, 0.33 at 512.
_LARGEST_READ = 512 << 10
_UNLIMITED = 1 << 62


class Ready(Protocol):
    """What is told of the events of one descriptor."""

    def ready(self, events: int) -> None:
        """React to `events` (EPOLLIN, ...; epoll_ctl(2))."""

    def broke(self) -> None:
        """It has let an exception pass, which was told: leave nothing half done."""


class Pausing(Protocol):
    """What may have more to read than one turn should take."""

    def pump(self) -> None:
        """Read on."""

    def broke(self) -> None:
        """See Ready."""


class Poller:
    """Tells who is ready. `limit` is how many bytes one direction may hold unsent before its sender
    is no longer read; `failed` hears of each exception that a `ready` lets pass; `soon` has what it
    is given called soon, for a turn though the set tells of nothing; `later` after so many seconds.
    `memory` is how many bytes all directions together may hold unsent.
    """

    def __init__(
        self,
        limit: int,
        failed: Callable[[Exception], None],
        soon: Callable[[Callable[[], None]], object] = lambda _: None,
        later: Callable[[float, Callable[[], None]], object] = lambda *_: None,
        *,
        memory: int = _UNLIMITED,
    ) -> None:
        self.limit = limit
        self.later = later
        # Shared: it is empty again after each read.
        self.buffer = bytearray(min(2 * limit, _LARGEST_READ))
        self.view = memoryview(self.buffer)
        self.size = len(self.buffer)
        self.memory = Memory(memory, limit, self.size)
        self._again: dict[Pausing, None] = {}  # those to go on with in the next turn, each once
        self._asked = False  # for a turn that has not begun
        self._failed = failed
        self._soon = soon
        self._epoll = select.epoll()
        self._watched: dict[int, Ready] = {}
        self._closing: list[socket.SocketType] = []
        self._turning = False
        self.seen: set[int] | None = None  # descriptors that were ready, where somebody asks
        self._left = 0
        self._lap: Callable[[], None] = _nothing

    def __len__(self) -> int:
        return len(self._watched)

    @property
    def watched(self) -> Sequence[Ready]:
        """All who are told of something."""
        return tuple(self._watched.values())

    @property
    def closed(self) -> bool:
        """Whether it tells nothing any longer."""
        return self._epoll.closed

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

    def go_on(self, pausing: Pausing) -> None:
        """Have `pausing` read on in the next turn."""
        self._again[pausing] = None
        if not self._asked:  # else each turn would ask for one more, beside those the set causes
            self._asked = True
            self._soon(self._turn_asked_for)

    @property
    def has_more(self) -> bool:
        """Whether somebody goes on in the next turn."""
        return bool(self._again)

    def who(self, fd: int) -> Ready | None:
        """Return who is told of `fd`."""
        return self._watched.get(fd)

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

    def lap_in(self, turns: int, lap: Callable[[], None]) -> None:
        """Call `lap` once, after so many turns; never for 0. Replaces what was asked for before."""
        self._left, self._lap = turns, lap

    def turn(self, timeout: float = 0.0) -> int:
        """Tell all who are ready, after at most `timeout` seconds (-1: however long). Return how
        many were.
        """
        self._turning = True
        if self._again:
            timeout = 0.0
            again, self._again = self._again, {}
            for pausing in again:
                try:
                    pausing.pump()
                except Exception as error:
                    self._broke(pausing, error)
        get = self._watched.get
        found = self._epoll.poll(timeout, _AT_ONCE)
        if self.seen is not None:
            self.seen.update([fd for fd, _ in found])
        for fd, events in found:
            who = get(fd)
            if who is not None:
                try:
                    who.ready(events)
                except Exception as error:
                    self._broke(who, error)
        self._turning = False
        if self._closing:
            closing, self._closing = self._closing, []
            for sock in closing:
                sock.close()
        self._left -= 1
        if not self._left:
            self._lap()
        return len(found)

    def close(self) -> None:
        """Tell nothing any longer."""
        self._watched.clear()
        self._again.clear()
        self._epoll.close()

    def _turn_asked_for(self) -> None:
        self._asked = False
        if not self._epoll.closed:
            self.turn()

    def _broke(self, who: Ready | Pausing, error: Exception) -> None:
        self._failed(error)
        try:
            who.broke()
        except Exception as another:
            self._failed(another)


def _nothing() -> None:
    pass
