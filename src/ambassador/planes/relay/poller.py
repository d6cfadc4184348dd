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
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from ambassador.core.memory import Memory
from ambassador.planes.relay.disconnect import sever

__all__ = ["EDGES", "LEVEL", "Pausing", "Poller", "Ready"]

EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLPRI | select.EPOLLET
LEVEL = select.EPOLLIN  # told again for as long as there is something: listeners
# Events of one turn that all are told of, whatever time that takes: 1 ms, as each is 50 us or so.
# Where there are more, the clock is looked at after each.
_FEW = 16
_AT_ONCE = 128  # events of one turn, where there are not many
_MANY = 8192  # that are looked at where there are: what a session has to say may be behind them
# Seconds for each turn, before other work of the process has its own: for what is carried, and
# for those who come and go, of which there may be thousands at one moment.
_CARRYING, _COMING_AND_GOING = 0.004, 0.002
_ENDING = select.EPOLLERR | select.EPOLLHUP | select.EPOLLRDHUP
# One read. Over loopback, CPU seconds a GB: 0.5 at 64 KiB, 0.4 at 256, 0.33 at 512.
_LARGEST_READ = 512 << 10
_UNLIMITED = 1 << 62


class Ready(ABC):
    """What is told of the events of one descriptor."""

    __slots__ = ()

    @abstractmethod
    def ready(self, events: int) -> None:
        """React to `events` (EPOLLIN, ...; epoll_ctl(2))."""

    @abstractmethod
    def broke(self) -> None:
        """It has let an exception pass, which was told: leave nothing half done."""


class Pausing(Ready):
    """What may have more to read than one turn should take."""

    __slots__ = ()

    @abstractmethod
    def pump(self) -> None:
        """Read on."""


class Poller:
    """Tells objects of the events of their descriptors. `limit` is how many bytes one direction may
    hold unsent before its sender is no longer read; `failed` hears of each exception that a
    `ready` lets pass; `soon` has what it is given called soon, for a turn though the set tells of
    nothing; `later` after so many seconds. `memory` is how many bytes all directions together may
    hold unsent.
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
        self._again: dict[Pausing, None] = {}  # sides to go on with in the next turn, each once
        self._more = False  # the next turn has something to do in any case, or had
        self._asked = False  # for a turn that has not begun
        self._failed = failed
        self._soon = soon
        self._epoll = select.epoll()
        self._watched: dict[int, Ready] = {}
        self._patient: set[int] = set()
        # Events that no turn had time for, by descriptor; those who came first are first.
        self._carrying: dict[int, int] = {}
        self._coming_and_going: dict[int, int] = {}
        self._closing: list[socket.SocketType] = []
        self._turning = False
        self.seen: set[int] | None = None  # descriptors that were ready, where somebody asks
        self.is_lent = False  # another process may have the sockets, too
        self._left = 0
        self._lap: Callable[[], None] = _nothing

    def __len__(self) -> int:
        return len(self._watched)

    @property
    def watched(self) -> Sequence[Ready]:
        """All objects that are told of something."""
        return tuple(self._watched.values())

    @property
    def closed(self) -> bool:
        """Whether it tells nothing any longer."""
        return self._epoll.closed

    def fileno(self) -> int:
        """Return the descriptor that is readable while a watched one is ready."""
        return self._epoll.fileno()

    def add(self, fd: int, who: Ready, events: int = EDGES, *, patient: bool = False) -> None:
        """Tell `who` of `events` of `fd`, the present ones first; where it is `patient`, after what
        is carried, as of whatever ends.
        """
        self._watched[fd] = who
        if patient:
            self._patient.add(fd)
        self._epoll.register(fd, events)

    def give(self, fd: int, who: Ready) -> None:
        """From now on `who` is told of `fd`, which was added before, and is not patient."""
        self._watched[fd] = who
        self._patient.discard(fd)

    def go_on(self, pausing: Pausing) -> None:
        """Have `pausing` read on in the next turn."""
        self._again[pausing] = None
        self._more = True
        self._ask_for_turn()

    @property
    def has_more(self) -> bool:
        """Whether the next turn has something to do in any case."""
        return bool(self._again or self._carrying or self._coming_and_going)

    def who(self, fd: int) -> Ready | None:
        """Return the object that is told of `fd`."""
        return self._watched.get(fd)

    def remove(self, fd: int) -> None:
        """Tell nothing of `fd`, which stays open."""
        if self._watched.pop(fd, None) is not None:
            self._forget(fd)
            with contextlib.suppress(OSError):
                self._epoll.unregister(fd)

    def close_socket(self, sock: socket.SocketType) -> None:
        """Close `sock`, which may have been added. Within a turn that is put off to its end: an
        event of this turn must not meet a new socket with the same number.
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
        """Call `lap` once, after so many turns; never for 0. Replaces what was asked for before."""
        self._left, self._lap = turns, lap

    def turn(self, timeout: float = 0.0) -> int:
        """Tell of all descriptors that are ready, after at most `timeout` seconds (-1: however
        long). Return how many were.
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
        elif count == 1:  # nearly always, and it comes before nobody
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
        """Tell nothing any longer."""
        self._watched.clear()
        self._again.clear()
        self._epoll.close()

    def _tell_few(self, found: list[tuple[int, int]]) -> None:
        """Tell of the events `found`, last of clients that come or go."""
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
        """Tell of the events `found`: first of what is carried, then for a moment of clients that
        come or go; the rest is kept for the next turn.
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
        """Let sides that have more to read go on, for as long as a turn gives. Tell whether
        events wait that an earlier turn had no time for.
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
        """Tell of the events that are `waiting`, by descriptor, for so many seconds."""
        over = time.monotonic() + seconds
        for fd in tuple(waiting):
            # One that goes may take others with it.
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
