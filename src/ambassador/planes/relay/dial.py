"""One attempt to connect, without a task: what most sessions need."""

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
from ambassador.planes.relay.options import reset
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.search import refuse_itself, spoken

__all__ = ["Dial", "Patience", "Trying"]

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TICK = 0.05  # seconds between two looks whose time is over
_BEGUN = frozenset({0, errno.EINPROGRESS})


class Trying(Protocol):
    """Who has an attempt made; one of the two is called, once."""

    poller: Poller

    def answered(self, attempt: Dial, sock: socket.SocketType, events: int) -> None:
        """`sock` is connected and watched for `attempt`; `events` were told."""

    def failed(self, attempt: Dial, reason: str) -> None:
        """There is no connection, for `reason`."""

    def broke(self) -> None:
        """See poller.Ready."""


class Patience:
    """Ends attempts whose time is over: one timer for all of them, and none while there is none."""

    def __init__(self) -> None:
        # The first port that the kernel itself gives to a socket (ip(7)): only there one can be
        # connected to itself.
        self.ephemeral = int(_RANGE.read_text().split()[0])
        self._loop = asyncio.get_running_loop()
        self._attempts: set[Dial] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._attempts)

    def add(self, attempt: Dial) -> None:
        """End `attempt` when its time is over."""
        self._attempts.add(attempt)
        if self._timer is None:
            self._timer = self._loop.call_later(_TICK, self._look)

    def remove(self, attempt: Dial) -> None:
        """Leave `attempt` alone."""
        self._attempts.discard(attempt)

    def close(self) -> None:
        """End nothing any longer."""
        self._attempts.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(_TICK, self._look) if self._attempts else None
        now = time.monotonic()
        for attempt in [one for one in self._attempts if one.is_over(now)]:
            attempt.fail(f"{attempt.candidate} does not answer")


class Dial:
    """A socket that is being connected to `candidate`."""

    __slots__ = ("_began", "_deadline", "_patience", "_sock", "_trying", "candidate")

    def __init__(
        self,
        candidate: Candidate,
        deadline: float,
        sock: socket.SocketType,
        trying: Trying,
        patience: Patience,
    ) -> None:
        self.candidate = candidate
        self._began = time.monotonic()
        self._deadline = deadline
        self._sock = sock
        self._trying = trying
        self._patience = patience

    @classmethod
    def begin(
        cls, candidate: Candidate, deadline: float, trying: Trying, patience: Patience
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
        attempt = cls(candidate, deadline, sock, trying, patience)
        try:
            if sock.connect_ex(where) not in _BEGUN:
                sock.close()
                return None
            trying.poller.add(sock.fileno(), attempt)
        except OSError:  # no address of its family; too many are watched
            trying.poller.close_socket(sock)
            return None
        patience.add(attempt)
        return attempt

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
        self._trying.answered(self, self._sock, events)

    def is_over(self, now: float) -> bool:
        """Tell whether its time is over at `now`, by the monotonic clock."""
        return now - self._began >= attempt_limit(self._deadline - self._began, 1)

    def fail(self, reason: str) -> None:
        """Give up, for `reason`."""
        self.drop()
        self._trying.failed(self, reason)

    def broke(self) -> None:
        """See poller.Ready."""
        self._trying.broke()
        self.drop()

    def drop(self) -> None:
        """Give up and tell nobody."""
        self._patience.remove(self)
        with contextlib.suppress(OSError):
            reset(self._sock)  # it may be connected since
        self._trying.poller.close_socket(self._sock)
