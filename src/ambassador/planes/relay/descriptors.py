"""File descriptors: the relay has a limited number of them, counts them, and waits when none is
free.

A session needs one for its client and one for its upstream, a UDP flow one. The relay does not
accept while fewer than two are free, so that each accepted client can get an upstream socket; other
clients wait in the listen backlog. Where a limit of the system, or memory, is reached, accepting
pauses for a moment. The log says once when either begins, and once when it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ambassador import log

if TYPE_CHECKING:
    from ambassador.planes.relay.udp_flows import UdpFlows

__all__ = ["EXHAUSTED", "PASSING", "Descriptors", "make_room", "raise_limit"]

# accept(2), socket(2): the process's limit, the system's limit, and no kernel memory.
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# accept(2): the connection died in the backlog, or a network error is pending on it; go on.
PASSING = frozenset(
    {
        errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.ENOPROTOOPT, errno.EHOSTDOWN,
        errno.ENONET, errno.EHOSTUNREACH, errno.EOPNOTSUPP, errno.ENETUNREACH, errno.EPERM,
    }
)  # fmt: skip

# Not for sessions: log, admin socket and its clients, DNS queries, files read at a reload.
_RESERVE = 16
_PAUSE = 0.1  # seconds between attempts when the system itself has run out
_ROOM = 16384  # descriptors; 128 KiB of the kernel's memory


def raise_limit() -> int:
    """Raise the soft limit on descriptors to the hard one and return it (getrlimit(2))."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def make_room(limit: int) -> None:
    """Have the kernel make the table of descriptors large now, if more than a few are allowed by
    `limit`: before this process has threads, and before it has clients.

    The table doubles whenever it is full (64, 128, 256, ...), and in a process with threads it then
    waits for all cores (synchronize_rcu in expand_fdtable, fs/file.c of Linux). The client that
    was just accepted, and all others, wait for 14 to 20 ms. It never shrinks.
    """
    last = min(limit, _ROOM) - 1
    with contextlib.suppress(OSError):  # none is free: then there will be no room for clients
        first = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.close(fcntl.fcntl(first, fcntl.F_DUPFD_CLOEXEC, last))
        finally:
            os.close(first)


class Descriptors:
    """The budget all listeners of the relay share."""

    def __init__(self, limit: int | None = None, reserve: int = _RESERVE) -> None:
        self.limit = limit or resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._free = max(2, self.limit - _open_now() - reserve)
        self._taken = self._listening = 0
        self._at_first = self._free
        self.flow_count = 0  # UDP flows of all listeners
        self.tables: set[UdpFlows] = set()  # of the listeners that have flows
        # So many have to be free before the log says that there are some again: with one, it would
        # say so at each session.
        self._plenty = min(2 + _RESERVE // 2, self._free)
        self._paused: list[Callable[[], None]] = []
        self._said = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def most_flows(self) -> int:
        """How many UDP flows there may be. Flows can be made with forged addresses: so some
        descriptors are left to clients of TCP.
        """
        return max(1, min(self.limit // 2, self._at_first * 3 // 4))

    def available(self, wanted: int = 2) -> bool:
        """Tell whether `wanted` more descriptors may be used. Also where listeners have used up all
        of them, one session is allowed.
        """
        return self._free >= wanted or (not self._taken and self._free + self._listening >= wanted)

    def take(self, count: int) -> None:
        """Count `count` descriptors as used."""
        self._free -= count
        self._taken += count

    def displace(self, table: UdpFlows) -> bool:
        """End a flow of the listener that has most of them, of `table` where it has as many; tell
        whether there was one.
        """
        largest = max((*self.tables, table), key=lambda one: (len(one), one is table))
        if not len(largest):
            return False
        largest.displace()
        return True

    def listen(self, count: int = 1) -> None:
        """Count `count` listening sockets as opened, or, below 0, as closed."""
        self._listening += count
        self._free -= count
        if count < 0:
            self._go_on()

    def give(self, count: int) -> None:
        """Count `count` descriptors as free again and let waiting listeners go on."""
        self._free += count
        self._taken -= count
        if self._paused or self._said:  # else no listener waits
            self._go_on()

    def _go_on(self) -> None:
        if self._paused and self.available() and self._timer is None:
            self._resume()
        if self._said and self._timer is None:
            self.recovered()

    def wait(self, resume: Callable[[], None], reason: str = "") -> None:
        """Call `resume` once descriptors are free: after some are given back, or, with `reason`
        (an error of the system), after a pause.
        """
        self._paused.append(resume)
        if not self._said:
            self._said = True
            why = reason or f"{self.limit} are allowed (ulimit -n)"
            log.event(
                log.WARNING,
                "descriptors_exhausted",
                f"out of file descriptors: {why}; new clients wait in the listen backlog",
                limit=self.limit,
                reason=why,
            )
        if reason and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PAUSE, self._after_pause)

    def recovered(self) -> None:
        """Log, once, that descriptors are free again."""
        if self._said and not self._paused and self.available(self._plenty):
            self._said = False
            log.event(log.INFO, "descriptors_available", "file descriptors are free again")

    def close(self) -> None:
        """Forget the listeners that wait."""
        self._paused.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _after_pause(self) -> None:
        self._timer = None
        self._resume()

    def _resume(self) -> None:
        waiting, self._paused = self._paused, []
        for resume in waiting:
            resume()


def _open_now() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
