"""One epoll set for all sockets of sessions, edge-triggered and registered once.

The transports of an event loop cost a system call at each pause and resume, do not notice a reset
while they are paused, and are objects of several hundred bytes. Here a socket is registered once
for all events; epoll(7) reports each edge, and so the reset of a side that is not read at present.
The set is itself one readable descriptor, so it works inside any event loop, or alone, by its
timeout.

Nothing here needs asyncio: it also runs in a process that has none.
"""

from __future__ import annotations

import contextlib
import mmap
import select
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from ambassador.core.memory import Memory
from ambassador.planes.relay.disconnect import sever

__all__ = ["EDGES", "LEVEL", "Pausing", "Poller", "Ready"]

EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLPRI | select.EPOLLET
LEVEL = select.EPOLLIN  # reported again for as long as there is something to read: listeners
# Up to so many events of one turn are all handled, whatever time that takes: about 1 ms, 50 us
# each. With more events, the clock is looked at after each.
_FEW = 16
_AT_ONCE = 128  # events that are asked for in one turn
_MANY = 8192  # asked for beyond that, when there are so many: bytes of sessions may be among them
# Seconds of each turn, before other work of the process: for open sessions that carry, and for
# sessions that begin or end, of which there may be thousands at one moment.
_CARRYING, _COMING_AND_GOING = 0.004, 0.002
_ENDING = select.EPOLLERR | select.EPOLLHUP | select.EPOLLRDHUP
# One read. Over loopback, CPU seconds a GB: 0.43 at 64 KiB, 0.3 at 256, 0.26 at 512, 0.17 at 2048;
# 4096 brings no more.
_LARGEST_READ = 2 << 20
_UNLIMITED = 1 << 62


class Ready(ABC):
    """An object that handles the events of one descriptor."""

    __slots__ = ()

    @abstractmethod
    def ready(self, events: int) -> None:
        """React to `events` (EPOLLIN, ...; epoll_ctl(2))."""

    @abstractmethod
    def broke(self) -> None:
        """`ready` has raised an exception, which is logged: leave nothing half done."""


class Pausing(Ready):
    """An object that may have more to read than one turn should take."""

    __slots__ = ()

    @abstractmethod
    def pump(self) -> None:
        """Read on, in a later turn."""


class Poller:
    """Calls objects at the events of their descriptors. `limit` is how many bytes one direction may
    hold unsent before its sender is no longer read; `failed` is called with each exception that a
    `ready` raises; `soon` has a call made soon, for a turn without new events; `later` has one made
    after so many seconds. `memory` is how many bytes all directions together may hold unsent.
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
        # One for all sides: each read is passed on, or copied, before the next.
        self.buffer = _pages(min(8 * limit, _LARGEST_READ))
        self.view = memoryview(self.buffer)
        self.size = len(self.buffer)
        self.memory = Memory(memory, limit, self.size)
        self._again: dict[Pausing, None] = {}  # sides to go on with in the next turn, each once
        self._more = False  # the next turn has something to do without new events, or had
        self._asked = False  # a turn is asked for, and has not begun
        self._failed = failed
        self._soon = soon
        self._epoll = select.epoll()
        self._watched: dict[int, Ready] = {}
        self._patient: set[int] = set()
        # Events that no turn had time for yet, by descriptor; the oldest first.
        self._carrying: dict[int, int] = {}
        self._coming_and_going: dict[int, int] = {}
        self._closing: list[socket.SocketType] = []
        self._turning = False
        self.seen: set[int] | None = None  # descriptors that were ready, during a sample
        self.is_lent = False  # another process may have the sockets, too
        self._left = 0
        self._lap: Callable[[], None] = _nothing

    def __len__(self) -> int:
        return len(self._watched)

    @property
    def watched(self) -> Sequence[Ready]:
        """All objects whose descriptors are watched."""
        return tuple(self._watched.values())

    @property
    def closed(self) -> bool:
        """Whether the poller is closed."""
        return self._epoll.closed

    def fileno(self) -> int:
        """Return the descriptor that is readable while a watched one is ready."""
        return self._epoll.fileno()

    def add(self, fd: int, who: Ready, events: int = EDGES, *, patient: bool = False) -> None:
        """Call `who` at `events` of `fd`; first at those that are there already. Where it is
        `patient`, it is called after open sessions, as are sides that end.
        """
        self._watched[fd] = who
        if patient:
            self._patient.add(fd)
        self._epoll.register(fd, events)

    def give(self, fd: int, who: Ready) -> None:
        """Call `who` at events of `fd`, which was added before; it is not patient from now on."""
        self._watched[fd] = who
        self._patient.discard(fd)

    def go_on(self, pausing: Pausing) -> None:
        """Have `pausing` read on in the next turn."""
        self._again[pausing] = None
        self._more = True
        self._ask_for_turn()

    @property
    def has_more(self) -> bool:
        """Whether the next turn has something to do without new events."""
        return bool(self._again or self._carrying or self._coming_and_going)

    def who(self, fd: int) -> Ready | None:
        """Return the object that is called at events of `fd`."""
        return self._watched.get(fd)

    def remove(self, fd: int) -> None:
        """Watch `fd` no longer; it stays open."""
        if self._watched.pop(fd, None) is not None:
            self._forget(fd)
            with contextlib.suppress(OSError):
                self._epoll.unregister(fd)

    def close_socket(self, sock: socket.SocketType) -> None:
        """Close `sock`, which may be watched. Within a turn, it is closed at the end of the turn: a
        new socket could get the same number, and must not get an event of this turn.
        """
        fd = sock.fileno()
        if self._watched.pop(fd, None) is not None:  # close(2) takes it out of the epoll set
            self._patient.discard(fd)
            if self._more:
                self._forget(fd)
            if self.is_lent:
                with contextlib.suppress(OSError):
                    self._epoll.unregister(fd)
        if self.is_lent:
            sever(sock)
        if self._turning:
            self._closing.append(sock)
        else:
            sock.close()

    def lap_in(self, turns: int, lap: Callable[[], None]) -> None:
        """Call `lap` once, after so many turns; never for 0. Replaces an earlier `lap`."""
        self._left, self._lap = turns, lap

    def turn(self, timeout: float = 0.0) -> int:
        """Handle the events of all descriptors that are ready, after at most `timeout` seconds (-1:
        wait for one). Return how many were ready.
        """
        self._turning = True
        waiting = False
        if self._more:
            timeout = 0.0
            waiting = self._pump_on()
        found = self._epoll.poll(timeout, _AT_ONCE)
        count = len(found)
        if waiting or count > _FEW:
            if count == _AT_ONCE:
                found += self._epoll.poll(0.0, _MANY)
                count = len(found)
            self._tell_many(found)
        elif count == 1:  # nearly always, and there is no order to keep
            fd, events = found[0]
            if (who := self._watched.get(fd)) is not None:
                try:
                    who.ready(events)
                except Exception as error:
                    self._broke(who, error)
        else:
            self._tell_few(found)
        if self.seen is not None:
            self.seen.update([fd for fd, _ in found])
        self._turning = False
        if self._closing:
            closing, self._closing = self._closing, []
            for sock in closing:
                sock.close()
        if self._left:
            self._left -= 1
            if not self._left:
                self._lap()
        return count

    def close(self) -> None:
        """Watch nothing any longer."""
        self._watched.clear()
        self._again.clear()
        self._epoll.close()

    def _tell_few(self, found: list[tuple[int, int]]) -> None:
        """Handle the events `found`: open sessions first, then sessions that begin or end."""
        get, patient = self._watched.get, self._patient
        late = []
        for one in found:
            fd, events = one
            if events & _ENDING or fd in patient:
                late.append(one)
            elif (who := get(fd)) is not None:
                try:
                    who.ready(events)
                except Exception as error:
                    self._broke(who, error)
        for fd, events in late:
            if (who := get(fd)) is not None:
                try:
                    who.ready(events)
                except Exception as error:
                    self._broke(who, error)

    def _tell_many(self, found: list[tuple[int, int]]) -> None:
        """Handle the events `found`: open sessions first, then for a moment sessions that begin or
        end; the rest is kept for the next turn.
        """
        get, patient, others = self._watched.get, self._patient, self._coming_and_going
        crowded = self._carrying or len(found) > _AT_ONCE
        for fd, events in found:
            if events & _ENDING or fd in patient or fd in others:
                others[fd] = others.get(fd, 0) | events
            elif crowded:
                self._carrying[fd] = self._carrying.get(fd, 0) | events
            elif (who := get(fd)) is not None:
                try:
                    who.ready(events)
                except Exception as error:
                    self._broke(who, error)
        if crowded:
            self._tell(self._carrying, _CARRYING)
        if others:
            self._tell(others, _COMING_AND_GOING)
        self._more = self.has_more
        if self._more:
            self._ask_for_turn()

    def _pump_on(self) -> bool:
        """Let sides that have more to read go on, for as long as a turn allows. Return whether
        events wait for which an earlier turn had no time.
        """
        again, self._again = self._again, {}
        over = time.monotonic() + _CARRYING
        for pausing in tuple(again):
            del again[pausing]
            try:
                pausing.pump()
            except Exception as error:
                self._broke(pausing, error)
            if time.monotonic() > over:
                break
        if again:
            self._again = again | self._again
        self._more = self.has_more
        if self._more:
            self._ask_for_turn()
        return bool(self._carrying or self._coming_and_going)

    def _tell(self, waiting: dict[int, int], seconds: float) -> None:
        """Handle the events that are `waiting`, by descriptor, for so many seconds."""
        over = time.monotonic() + seconds
        for fd in tuple(waiting):
            # A session that ends here may have removed events of its other side.
            events = waiting.pop(fd, 0)
            if (who := self._watched.get(fd)) is not None and events:
                try:
                    who.ready(events)
                except Exception as error:
                    self._broke(who, error)
            if time.monotonic() > over:
                return

    def _forget(self, fd: int) -> None:
        self._patient.discard(fd)
        self._carrying.pop(fd, None)
        self._coming_and_going.pop(fd, None)

    def _ask_for_turn(self) -> None:
        if not self._asked:  # else each turn would ask for one more, beside those the set causes
            self._asked = True
            self._soon(self._turn_asked_for)

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


def _pages(size: int) -> mmap.mmap:
    """Return `size` bytes that need no memory until they are used, and then only what is used."""
    found = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # this kernel has no huge pages
        found.madvise(mmap.MADV_NOHUGEPAGE)  # the first byte would make it 2 MiB
    return found
