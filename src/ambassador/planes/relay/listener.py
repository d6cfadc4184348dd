"""A bound TCP or unix socket: accept clients and begin their sessions."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator

from ambassador.model import Reason
from ambassador.planes.relay.descriptors import EXHAUSTED
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.options import guard, tune
from ambassador.planes.relay.poller import LEVEL
from ambassador.planes.relay.search import Search
from ambassador.planes.relay.session import Session
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.ports import SessionStatus
from ambassador.sockets.bind import close_listener
from ambassador.sockets.inherited import LentSocket
from ambassador.tasks import Slice

__all__ = ["StreamListener"]

# Accepted in one go before other work has its turn: 2 ms.
_BATCH = 16
_BACKLOG_OF_PATH = 4096  # nothing tells how many wait at a unix socket
_UNACKED = struct.Struct("24xI")  # tcpi_unacked in struct tcp_info of linux/tcp.h
# accept(2): the connection died in the backlog, or a network error is pending on it; go on.
_PASSING = frozenset(
    {
        errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.ENOPROTOOPT, errno.EHOSTDOWN,
        errno.ENONET, errno.EHOSTUNREACH, errno.EOPNOTSUPP, errno.ENETUNREACH, errno.EPERM,
    }
)  # fmt: skip


class StreamListener:
    """Accepts on one listening socket (one port of a route, or a path)."""

    def __init__(
        self, around: Surroundings, live: LiveRoute, sock: socket.socket, port: int
    ) -> None:
        self.sock = sock
        self.port = port
        self._around = around
        self._live = live
        self._search = Search(live, port, around)
        self._sessions: set[Session] = set()
        self._done = self._sessions.discard
        # Kept: each look at them makes enumerations, half a microsecond each.
        self._kind = int(sock.family), int(sock.type), sock.proto
        self._reading = False
        self._paused = False
        # Those we were handed were open before the budget was made.
        self._counted = not isinstance(sock, LentSocket)
        if self._counted:
            around.descriptors.listen()
        tune(sock, live.route.keepalive)

    @property
    def sessions(self) -> frozenset[Session]:
        """The open sessions of this listener."""
        return frozenset(self._sessions)

    def views(self, now: float) -> Iterator[SessionStatus]:
        """Yield what is seen of its open sessions; `now` by the loop's clock. Who takes them may
        let others have their turn in between.
        """
        for session in tuple(self._sessions):
            if session in self._sessions:
                yield session.view(now)

    def cuts(self) -> Iterator[tuple[str, Callable[[Reason], None]]]:
        """Yield the id of each of its sessions with what ends it; as `views`."""
        for session in tuple(self._sessions):
            yield session.id, session.cut

    def start(self) -> None:
        """Begin to accept."""
        if not self._reading and not self._paused and self.sock.fileno() >= 0:
            self._reading = True
            self._around.poller.add(self.sock.fileno(), self, LEVEL, patient=True)

    def retune(self) -> None:
        """Take over changed options of the route for clients accepted from now on."""
        if self.sock.fileno() >= 0:
            tune(self.sock, self._live.route.keepalive)

    @property
    def listening(self) -> bool:
        """Tell whether the socket is still bound."""
        return self.sock.fileno() >= 0

    def pause(self) -> None:
        """Accept nothing until `resume`: clients wait in the backlog."""
        self._paused = True
        self._pause()

    def resume(self) -> None:
        """Accept again."""
        self._paused = False
        self.start()

    def give_up(self) -> None:
        """Leave the socket, with whoever waits in its backlog, to another process."""
        self.pause()
        self.sock.close()
        self._uncount()

    async def take_backlog(self, piece: Slice) -> None:
        """Take the clients that wait in the backlog now, none that come later; `stop` follows."""
        if self.sock.fileno() < 0:
            return
        self._pause()
        left = self._waiting()
        while left > 0 and not self._paused and self.sock.fileno() >= 0:
            if not self._accept_batch(min(left, _BATCH)):
                return
            left -= _BATCH
            await piece.end()

    def stop(self) -> None:
        """Take a last batch of clients, then stop listening; sessions go on. A flood of clients
        does not keep it from that: those that come too late are reset.
        """
        if self.sock.fileno() < 0:
            return
        self._pause()
        if not self._paused:
            self._accept_batch()
        self._pause()
        close_listener(self.sock)
        self._uncount()

    def _uncount(self) -> None:
        if self._counted:
            self._counted = False
            self._around.descriptors.listen(-1)

    def cut(self, reason: Reason) -> None:
        """End all sessions now."""
        for session in list(self._sessions):
            session.cut(reason)

    def ready(self, events: int) -> None:
        """Accept; see poller.Ready."""
        # To ask how many wait costs a third of an accept(2) that finds nobody. At least one: where
        # this is told, one was there.
        self._accept_batch(min(max(1, self._waiting()), _BATCH))

    def broke(self) -> None:
        """Go on; see poller.Ready."""

    def _pause(self) -> None:
        if self._reading:
            self._reading = False
            self._around.poller.remove(self.sock.fileno())

    def _waiting(self) -> int:
        """Return how many clients wait in the backlog: of a listener TCP_INFO tells that instead of
        what is not acknowledged (tcp_get_info of Linux).
        """
        if not self.port:
            return _BACKLOG_OF_PATH
        told = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNACKED.size)
        return int(_UNACKED.unpack(told)[0])

    def _accept_batch(self, count: int = _BATCH) -> bool:
        """Accept up to `count` clients; tell whether there may be more."""
        descriptors = self._around.descriptors
        # socket.accept wraps this and makes a socket.socket of what it returns: 3 of 90 us.
        accept = self.sock._accept  # type: ignore[attr-defined]
        family, kind, proto = self._kind
        for _ in range(count):
            if not descriptors.available():
                self._pause()
                descriptors.wait(self.start)
                return False
            try:
                descriptor, address = accept()
            except BlockingIOError:
                return False
            except OSError as error:
                if error.errno in EXHAUSTED:
                    self._pause()
                    descriptors.wait(self.start, os.strerror(error.errno).lower())
                    return False
                if error.errno in _PASSING:
                    continue
                raise
            descriptors.recovered()
            client = socket.SocketType(family, kind, proto, descriptor)
            client.setblocking(False)
            if not self.port:
                guard(client)  # a TCP socket has it from its listener
            session = Session(
                self._around, self._live, client, address, search=self._search, done=self._done
            )
            self._sessions.add(session)
            self._live.arrived(self._live.route.name, self.port, address)
            try:
                session.start()
            except Exception:
                session.broke()
                raise
        return True
