"""One connection to an endpoint while it is being made, without a task of asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import select
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ambassador.errors import AmbassadorError, in_a_line
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.options import guard, no_delay, reset
from ambassador.planes.relay.poller import Poller, Ready
from ambassador.planes.relay.refusal import refuse_itself, spoken
from ambassador.planes.relay.source_ports import SourcePorts, port_range
from ambassador.tls.keyring import Keyring

if TYPE_CHECKING:
    from ambassador.tls.opening import Opening

__all__ = ["BESIDE", "Dial", "Dialler", "Patience"]

_TICK = 0.05  # seconds between two looks which dials have run out of time
# Seconds after which another address is tried, too: the "Connection Attempt Delay" of RFC 8305.
BESIDE = 0.25


class Dialler(ABC):
    """An object that has a connection made: `answered` or `failed` is called, once, and before it
    perhaps `overdue`.
    """

    __slots__ = ()
    poller: Poller

    @abstractmethod
    def answered(self, dial: Dial, sock: socket.SocketType, events: int) -> None:
        """`sock` is connected; the poller watches it for `dial`, and has reported `events`."""

    @abstractmethod
    def failed(self, dial: Dial, reason: str) -> None:
        """There is no connection, for `reason`."""

    @abstractmethod
    def overdue(self, dial: Dial) -> None:
        """There is no answer yet: another address may be tried, too."""

    @abstractmethod
    def broke(self) -> None:
        """See poller.Ready."""


class Patience:
    """Ends dials whose time is over, with one timer for all, and none while there is no dial.
    `keyring` has the keys for TLS to endpoints.
    """

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        # The first port that the kernel itself gives to a socket (ip(7)): a socket that connects to
        # a lower port cannot be connected to itself.
        self.ephemeral = port_range()[0]
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
        """End `dial` no longer: it is over, or goes on elsewhere."""
        self._dials.discard(dial)

    def close(self) -> None:
        """Drop all dials."""
        for dial in tuple(self._dials):
            dial.drop()
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(_TICK, self._look) if self._dials else None
        now = time.monotonic()
        for dial in tuple(self._dials):
            dial.look(now)


class Dial(Ready):
    """A socket that is being connected to `candidate`."""

    __slots__ = (
        "_began", "_limit", "_opening", "_overdue", "_patience", "_sock", "candidate", "dialler",
    )  # fmt: skip

    def __init__(
        self,
        candidate: Candidate,
        limit: float,
        sock: socket.SocketType,
        dialler: Dialler,
        patience: Patience,
    ) -> None:
        self.candidate = candidate
        self._opening: Opening | None = None  # the TLS handshake, once the socket is connected
        self._began = time.monotonic()
        self._limit = limit
        self._sock = sock
        self._overdue = False
        self.dialler = dialler
        self._patience = patience

    @classmethod
    def begin(
        cls,
        candidate: Candidate,
        limit: float,
        dialler: Dialler,
        patience: Patience,
        ports: SourcePorts,
        *,
        sources: Sequence[str] = (),
    ) -> Dial:
        """Begin to connect, from one of `sources` where there are some; after `limit` seconds that
        has failed. Raises OSError where it cannot even begin, or has failed at once.
        """
        if candidate.port:
            where = candidate.address, candidate.port
            sock = ports.connect(where, socket.SOCK_STREAM, sources)
        else:
            sock = _connect_path(candidate.address)
        dial = cls(candidate, limit, sock, dialler, patience)
        try:
            guard(sock)
            dialler.poller.add(sock.fileno(), dial, patient=True)
        except BaseException:  # too many sockets are watched
            dialler.poller.close_socket(sock)
            raise
        patience.add(dial)
        return dial

    @classmethod
    def go_on(
        cls,
        candidate: Candidate,
        limit: float,
        sock: socket.SocketType,
        dialler: Dialler,
        patience: Patience,
    ) -> Dial:
        """Go on with `sock`, which another process has begun to connect a while ago."""
        dial = cls(candidate, limit + BESIDE, sock, dialler, patience)
        dial._began -= BESIDE
        dialler.poller.add(sock.fileno(), dial)
        patience.add(dial)
        return dial

    def ready(self, events: int) -> None:
        """The connection is made, or has failed; see poller.Ready."""
        if self._opening is not None:
            self._open(events)
            return
        try:
            if events & (select.EPOLLERR | select.EPOLLHUP):
                error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:  # without an error, the endpoint has ended already, perhaps after bytes
                    raise OSError(error, "")
            if not events & select.EPOLLOUT:
                return
            if self.candidate.port >= self._patience.ephemeral:
                refuse_itself(self._sock)
        except OSError as error:
            self.fail(f"{self.candidate}: {spoken(error)}")
            return
        if self.candidate.endpoint.tls is not None:
            self._open(events)
            return
        self._patience.remove(self)
        self.dialler.answered(self, self._sock, events)

    def _open(self, events: int) -> None:
        """Go on with the TLS handshake."""
        opening, candidate = self._opening, self.candidate
        try:
            if opening is None:
                no_delay(self._sock)
                opening = self._patience.keyring.open(
                    self._sock, candidate.endpoint, candidate.address
                )
                self._opening = opening
            found = opening.go_on()
        except (OSError, AmbassadorError) as error:
            self._sock = opening.sock if opening is not None else self._sock
            self._patience.keyring.forget(candidate.endpoint)
            why = in_a_line(error) if isinstance(error, AmbassadorError) else _why(error)
            self.fail(f"{candidate}: {why}")
            return
        self._sock = opening.sock
        if found is not None:
            from ambassador.planes.relay.tls_side import carried  # noqa: PLC0415 (ssl)

            self._patience.remove(self)
            self.dialler.answered(self, carried(found), events)

    def look(self, now: float) -> None:
        """Fail, or be overdue, if that is due at `now`, by the monotonic clock."""
        took = now - self._began
        if took >= self._limit:
            self.fail(f"{self.candidate} does not answer")
        elif took >= BESIDE and not self._overdue:
            self._overdue = True
            self.dialler.overdue(self)

    def fail(self, reason: str) -> None:
        """Give up, for `reason`."""
        self.drop()
        self.dialler.failed(self, reason)

    def broke(self) -> None:
        """See poller.Ready."""
        self.dialler.broke()
        self.drop()

    def drop(self) -> None:
        """Close the connection without a call of the dialler."""
        self._patience.remove(self)
        with contextlib.suppress(OSError):
            reset(self._sock)  # it may be connected by now
        self.dialler.poller.close_socket(self._sock)

    @property
    def sock(self) -> socket.SocketType:
        """The socket that is being connected."""
        return self._sock

    def taken(self) -> None:
        """Let go of the socket: another process goes on with it."""
        self._patience.remove(self)
        self.dialler.poller.remove(self._sock.fileno())
        self._sock.close()


def _why(error: OSError) -> str:
    """Return the reason of `error`, in the words of TLS if it has some, else of the kernel."""
    said = isinstance(error, ConnectionAbortedError) and error.strerror
    return said or spoken(error)


def _connect_path(path: str) -> socket.SocketType:
    sock = socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, 0)
    try:
        sock.connect(path)
    except BlockingIOError as error:
        # connect(2): a unix socket connects at once, or fails with EAGAIN; never "in progress".
        sock.close()
        raise OSError(errno.EAGAIN, "its listen backlog is full") from error
    except BaseException:
        sock.close()
        raise
    return sock
