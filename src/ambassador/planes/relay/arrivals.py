"""The accepted clients of one listener, and their sessions.

Before its session begins, a client may have to send a PROXY header (`greeting`), or to prove who it
is by TLS (`handshake`). A worker may have accepted it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ambassador.core.limits import is_limited
from ambassador.model import Reason
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.poller import Ready
from ambassador.planes.relay.search import Search
from ambassador.planes.relay.session import Session
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.planes.relay.tally import ended_here
from ambassador.ports import SessionStatus

if TYPE_CHECKING:  # only where a PROXY header is read, or workers are there
    from ambassador.core.proxy.header import Header
    from ambassador.planes.relay.greeting import Greetings
    from ambassador.planes.relay.handshake import Handshakes
    from ambassador.planes.relay.worker_messages import Bring, Opened

__all__ = ["Arrivals"]

_CLOSED = socket.SocketType()  # for sessions whose sockets are in workers
_CLOSED.close()


class Arrivals(Ready):
    """The clients of one port of a route, or of a unix socket (port 0)."""

    def __init__(self, around: Surroundings, live: LiveRoute, port: int) -> None:
        self.live = live
        self.port = port
        self.greetings: Greetings | None = None
        self.handshakes: Handshakes | None = None  # where it listens with tls://
        self._around = around
        self._search = Search(live, port, around)
        self._sessions: set[Session] = set()
        self._done = self._sessions.discard

    @property
    def sessions(self) -> frozenset[Session]:
        """The open sessions of this listener."""
        return frozenset(self._sessions)

    def views(self, now: float) -> Iterator[SessionStatus]:
        """Yield its open sessions as the API shows them; `now` by the monotonic clock. Other work
        may have its turn between two of them.
        """
        for session in tuple(self._sessions):
            if session in self._sessions:
                yield session.view(now)

    def cuts(self) -> Iterator[tuple[str, Callable[[Reason], None]]]:
        """Yield the id of each of its sessions with the call that ends it; as `views`."""
        for session in tuple(self._sessions):
            yield session.id, session.cut

    def cut(self, reason: Reason) -> None:
        """End all sessions now."""
        self._turn_away()
        for session in list(self._sessions):
            session.cut(reason)

    def _turn_away(self) -> None:
        """Close clients whose PROXY header or TLS handshake is not complete."""
        for waiting in (self.greetings, self.handshakes):
            if waiting is not None:
                waiting.close()

    def _let_in(
        self,
        client: socket.SocketType,
        address: object,
        taken: bool | Reason,
        header: Header | None = None,
    ) -> None:
        """Begin the session of `client`, after a TLS handshake where the route has TLS."""
        if self.live.route.tls is None or type(client) is not socket.SocketType:
            self.begin(client, address, taken, header)
        else:
            self._prove(client, address, taken, header)

    def _prove(
        self,
        client: socket.SocketType,
        address: object,
        taken: bool | Reason = True,
        header: Header | None = None,
    ) -> None:
        if self.handshakes is None:
            from ambassador.planes.relay.handshake import Handshakes  # noqa: PLC0415 (ssl)

            self.handshakes = Handshakes(self._around, self.live, self._proved)
        self.handshakes.begin(client, address, taken, header)

    def _proved(
        self,
        client: socket.SocketType,
        address: object,
        taken: bool | Reason,
        header: Header | None,
    ) -> None:
        if self.live.route.proxy and header is None:
            self.greet(client, address)
        else:
            self.begin(client, address, taken, header)

    def greet(self, client: socket.SocketType, address: object, until: float | None = None) -> None:
        """Wait for the PROXY header of `client`, which names the client that it comes for."""
        if self.greetings is None:
            from ambassador.planes.relay.greeting import Greetings  # noqa: PLC0415

            self.greetings = Greetings(self._around, self.live, self._let_in, self._prove)
        self.greetings.add(client, address, until)

    def begin(
        self,
        client: socket.SocketType,
        address: object,
        taken: bool | Reason,
        header: Header | None = None,
    ) -> None:
        """Begin the session of `client`. `taken`: it may go on at once, or has to wait for a place
        first, for this reason.
        """
        session = self.session(client, address)
        session.header = header
        session.waits = taken if isinstance(taken, Reason) else None
        self.live.arrived(self.live.route.name, self.port, address)
        try:
            session.start()
        except Exception:
            session.broke()
            raise

    def session(self, client: socket.SocketType, address: object) -> Session:
        """Return a session that has not begun."""
        done = self._left if is_limited(self.live.route) else self._done
        session = Session(self._around, self.live, client, address, search=self._search, done=done)
        self._sessions.add(session)
        self._around.doors.touched(self.live)
        self.live.counters.meet(self.live.route, session.host)
        return session

    def _left(self, session: Session) -> None:
        self._sessions.discard(session)
        counters = self.live.counters
        if session.waits is None:
            counters.limits.left(session.host)
        counters.queue.look(lambda: self.live.route, session.host)

    def begun_elsewhere(self, item: Opened) -> Session:
        """Return the session that a worker has begun."""
        session = self.session(_CLOSED, item.client)
        session.started = item.started
        self.live.arrived(self.live.route.name, self.port, item.client)
        return session

    def brought(
        self,
        message: Bring,
        candidate: Candidate | None,
        socks: Sequence[socket.SocketType],
        known: Session | None,
    ) -> None:
        """Serve a client that a worker has accepted and brought; `known`: its session, if the
        worker has told of it before.
        """
        if not socks:  # no descriptor was free: the kernel has closed it
            self.lost(0 if known else 1)
            if known:
                known.ended(None, 0, 0)
            return
        client, *dials = socks
        session = self.session(client, message.client)
        session.started = message.started
        if known is not None:
            session.number = known.number
            known.forget()
        else:
            self.live.arrived(self.live.route.name, self.port, message.client)
        try:
            session.go_on(candidate, dials[0] if dials else None, message.error)
        except Exception:
            session.broke()
            raise

    def lost(self, count: int) -> None:
        """Count sessions that have ended with their worker before it could tell of them."""
        counters = self.live.counters
        counters.opened += count
        counters.closed[Reason.CUT] += count
        ended_here(self._around.doors.shared, self._search.book, Reason.CUT, count=count)
        self._around.doors.touched(self.live)
