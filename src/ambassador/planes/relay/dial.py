"""One connection being made, without a task: what most sessions need."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import select
import socket
import time
from pathlib import Path
from typing import Protocol

from ambassador.core.retry import attempt_limit
from ambassador.planes.relay.live import Candidate
from ambassador.planes.relay.options import guard, reset
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.search import refuse_itself, spoken

__all__ = ["Dial", "Dialler", "Patience"]

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TICK = 0.05  # seconds between two looks whose time is over
_BEGUN = frozenset({0, errno.EINPROGRESS})


class Dialler(Protocol):
    """Has a connection made; `answered` or `failed` is called, once."""

    poller: Poller

    def answered(self, dial: Dial, sock: socket.SocketType, events: int) -> None:
        """`sock` is connected and watched for `dial`; `events` were told."""

    def failed(self, dial: Dial, reason: str) -> None:
        """There is no connection, for `reason`."""

    def broke(self) -> None:
        """See poller.Ready."""


class Patience:
    """Ends dials whose time is over: one timer for all, and none while there is no dial."""

    def __init__(self) -> None:
        # The first port that the kernel itself gives to a socket (ip(7)): only there one can be
        # connected to itself.
        self.ephemeral = int(_RANGE.read_text().split()[0])
        self._loop = asyncio.get_running_loop()
        self._dials: set[Dial] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._dials)

    def add(self, dial: Dial) -> None:
        """End `dial` when its time is over."""
        self._dials.add(dial)
        if self._timer is None:
            self._timer = self._loop.call_later(_TICK, self._look)

    def remove(self, dial: Dial) -> None:
        """Leave `dial` alone."""
        self._dials.discard(dial)

    def close(self) -> None:
        """End nothing any longer."""
        self._dials.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(_TICK, self._look) if self._dials else None
        now = time.monotonic()
        for dial in [one for one in self._dials if one.is_over(now)]:
            dial.fail(f"{dial.candidate} does not answer")


class Dial:
    """A socket that is being connected to `candidate`."""

    __slots__ = ("_began", "_deadline", "_dialler", "_patience", "_sock", "candidate")

    def __init__(
        self,
        candidate: Candidate,
        deadline: float,
        sock: socket.SocketType,
        dialler: Dialler,
        patience: Patience,
    ) -> None:
        self.candidate = candidate
        self._began = time.monotonic()
        self._deadline = deadline
        self._sock = sock
        self._dialler = dialler
        self._patience = patience

    @classmethod
    def begin(
        cls, candidate: Candidate, deadline: float, dialler: Dialler, patience: Patience
    ) -> Dial | None:
        """Begin to connect; None where that cannot even begin, or is over at once. At `deadline`,
        by the monotonic clock, the client is given up.
        """
        where: tuple[str, int] | str = (candidate.address, candidate.port)
        if not candidate.port:
            family, where = socket.AF_UNIX, candidate.address
        else:
            family = socket.AF_INET6 if ":" in candidate.address else socket.AF_INET
        try:
            sock = socket.SocketType(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, 0)
        except OSError:
            return None
        dial = cls(candidate, deadline, sock, dialler, patience)
        try:
            guard(sock)
            if sock.connect_ex(where) not in _BEGUN:
                sock.close()
                return None
            dialler.poller.add(sock.fileno(), dial)
        except OSError:  # no address of its family; too many are watched
            dialler.poller.close_socket(sock)
            return None
        patience.add(dial)
        return dial

    def ready(self, events: int) -> None:
        """The connection is made, or has failed; see poller.Ready."""
        try:
            if events & (select.EPOLLERR | select.EPOLLHUP):
                error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:  # else its end has come already, behind what it may have said
                    raise OSError(error, "")
            if not events & select.EPOLLOUT:
                return
            if self.candidate.port >= self._patience.ephemeral:
                refuse_itself(self._sock)
        except OSError as error:
            self.fail(f"{self.candidate}: {spoken(error)}")
            return
        self._patience.remove(self)
        self._dialler.answered(self, self._sock, events)

    def is_over(self, now: float) -> bool:
        """Tell whether its time is over at `now`, by the monotonic clock."""
        return now - self._began >= attempt_limit(self._deadline - self._began, 1)

    def fail(self, reason: str) -> None:
        """Give up, for `reason`."""
        self.drop()
        self._dialler.failed(self, reason)

    def broke(self) -> None:
        """See poller.Ready."""
        self._dialler.broke()
        self.drop()

    def drop(self) -> None:
        """Give up and tell nobody."""
        self._patience.remove(self)
        with contextlib.suppress(OSError):
            reset(self._sock)  # it may be connected since
        self._dialler.poller.close_socket(self._sock)
