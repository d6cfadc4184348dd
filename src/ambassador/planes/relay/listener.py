"""A bound TCP or unix socket: accept clients and begin their sessions."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ambassador.core.limits import is_limited
from ambassador.model import Reason
from ambassador.planes.relay.client import host_of
from ambassador.planes.relay.descriptors import EXHAUSTED, PASSING
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.options import backlog, guard, tune
from ambassador.planes.relay.poller import LEVEL, Ready
from ambassador.planes.relay.search import Search
from ambassador.planes.relay.session import Session
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.ports import SessionStatus
from ambassador.sockets.bind import close_listener
from ambassador.sockets.inherited import LentSocket, end_listening
from ambassador.tasks import Slice

if TYPE_CHECKING:  # only where a PROXY header is read, or workers are there
    from ambassador.core.proxy.header import Header
    from ambassador.planes.relay.greeting import Greetings
    from ambassador.planes.relay.handshake import Handshakes
    from ambassador.planes.relay.worker_messages import Bring, Opened

__all__ = ["StreamListener"]

# Accepted in one go before other work has its turn: 2 ms.
_BATCH = 16
# Told once of each client, where no worker waits for one: the first that waits does (epoll(7)).
_LAST = select.EPOLLIN | select.EPOLLET | (1 << 28)  # EPOLLEXCLUSIVE; no name in Python 3.11
_OVERLOOKED = 0.02  # seconds in which a worker accepts who waits, unless none is at work
_CLOSED = socket.SocketType()  # of sessions that workers have
_CLOSED.close()
_BACKLOG_UNKNOWN = 4096  # nothing tells how many wait at a unix socket


class StreamListener(Ready):
    """Accepts on one listening socket (one port of a route, or a path)."""

    def __init__(
        self, around: Surroundings, live: LiveRoute, sock: socket.socket, port: int
    ) -> None:
        self.sock = sock
        self.port = port
        self._around = around
        self._search = Search(live, port, around)
        self._sessions: set[Session] = set()
        self.greetings: Greetings | None = None
        self._done = self._sessions.discard
        self.handshakes: Handshakes | None = None  # where it listens with tls://
        # Kept: each look at them makes enumerations, half a microsecond each.
        self._kind = int(sock.family), int(sock.type), sock.proto
        self._reading = False
        self._paused = False
        # Those we were handed were open before the budget was made.
        self._counted = not isinstance(sock, LentSocket)
        if self._counted:
            around.descriptors.listen()
        tune(sock, live.route.keepalive)

        self.live = live
        self.is_open = False  # clients may be accepted
        self._aside = False  # workers accept them
        self._looked = 0

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
        if self._paused or self.sock.fileno() < 0:
            return
        self.is_open = True
        if not self._reading:
            self._reading = True
            events = _LAST if self._aside else LEVEL
            self._around.poller.add(self.sock.fileno(), self, events, patient=True)

    def retune(self) -> None:
        """Take over changed options of the route for clients accepted from now on."""
        if self.sock.fileno() >= 0:
            tune(self.sock, self.live.route.keepalive)

    @property
    def listening(self) -> bool:
        """Tell whether the socket is still bound."""
        return self.sock.fileno() >= 0

    def set_aside(self, aside: bool) -> None:
        """Leave clients to workers, or accept them here again."""
        if aside is not self._aside:
            self._pause()
            self._aside = aside
            if self.is_open:
                self.start()

    @property
    def book(self) -> int:
        """In which workers count its sessions; see Shared."""
        return self._search.book

    @book.setter
    def book(self, number: int) -> None:
        self._search.book = number

    def look(self) -> None:
        """Accept clients that wait, if there are some: workers may not know of them."""
        if self.is_open and self._has_clients():
            self._accept_batch()

    def pause(self) -> None:
        """Accept nothing until `resume`: clients wait in the backlog."""
        self._paused = True
        self._close()

    def resume(self) -> None:
        """Accept again."""
        self._paused = False
        self.start()

    def give_up(self) -> None:
        """Leave the socket, with the clients in its backlog, to another process."""
        self.pause()
        self.sock.close()
        self._uncount()

    async def take_backlog(self, piece: Slice) -> None:
        """Take the clients that wait in the backlog now, none that come later; `stop` follows."""
        if self.sock.fileno() < 0:
            return
        self._close()
        await self._around.doors.settle()
        left = self._waiting()
        while left > 0 and not self._paused and self.sock.fileno() >= 0:
            if not self._accept_batch(min(left, _BATCH)):
                return
            left -= _BATCH
            await piece.end()

    def stop(self) -> None:
        """Take a last batch of clients, then stop listening; sessions go on. A flood of clients
        does not keep it from that: clients that come too late are reset.
        """
        if self.sock.fileno() < 0:
            return
        self._close()
        if not self._paused:
            self._accept_batch()
        self._close()
        for waiting in (self.greetings, self.handshakes):
            if waiting is not None:
                waiting.close()
        end_listening(self.sock)
        close_listener(self.sock)
        self._uncount()

    def _uncount(self) -> None:
        if self._counted:
            self._counted = False
            self._around.descriptors.listen(-1)

    def cut(self, reason: Reason) -> None:
        """End all sessions now."""
        for waiting in (self.greetings, self.handshakes):
            if waiting is not None:
                waiting.close()
        for session in list(self._sessions):
            session.cut(reason)

    def ready(self, events: int) -> None:
        """Accept; see poller.Ready."""
        if not self._aside:
            # To ask how many wait costs a third of an accept(2) that finds nobody. At least one:
            # where this is told, one was there.
            self._accept_batch(min(self._waiting() or 1, _BATCH))
            if self._around.doors.workers:
                self._around.doors.warm(self)
            return
        # No worker waited for this client: they are busy, nearly always. See in a while.
        self._pause()
        self._looked = self._around.doors.progress(self)
        self._around.poller.later(_OVERLOOKED, self._look_after)

    def broke(self) -> None:
        """Go on; see poller.Ready."""

    def begun_elsewhere(self, item: Opened) -> Session:
        """Return the session that a worker has begun."""
        session = self.session(_CLOSED, item.client)
        session.started = item.started
        self.live.arrived(self.live.route.name, self.port, item.client)
        return session

    def lost(self, count: int) -> None:
        """Count sessions that have ended with their worker, before they were told of."""
        counters = self.live.counters
        counters.opened += count
        counters.closed[Reason.CUT] += count
        self._around.doors.touched(self.live)

    def brought(
        self,
        message: Bring,
        candidate: Candidate | None,
        socks: Sequence[socket.SocketType],
        known: Session | None,
    ) -> None:
        """See to a client that a worker has accepted; `known`: it was told of before."""
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

    def _look_after(self) -> None:
        if not self.is_open or self._reading:
            return
        if self._aside and self._around.doors.progress(self) == self._looked:
            self.look()
        self.start()

    def _has_clients(self) -> bool:
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def _close(self) -> None:
        """Accept nothing from now on, neither here nor in workers."""
        self.is_open = False
        self._pause()
        self._around.doors.shut(self)

    def _pause(self) -> None:
        if self._reading:
            self._reading = False
            self._around.poller.remove(self.sock.fileno())

    def _waiting(self) -> int:
        """Return how many clients wait in the backlog: of a listener TCP_INFO tells that instead of
        what is not acknowledged (tcp_get_info of Linux); nothing tells it of a path.
        """
        return backlog(self.sock, _BACKLOG_UNKNOWN) if self.port else _BACKLOG_UNKNOWN

    def _accept_batch(self, count: int = _BATCH) -> bool:
        """Accept up to `count` clients; tell whether there may be more."""
        descriptors = self._around.descriptors
        # socket.accept wraps this and makes a socket.socket of what it returns: 3 of 90 us.
        accept = self.sock._accept  # type: ignore[attr-defined]
        family, kind, proto = self._kind
        route, counters = self.live.route, self.live.counters
        # Has to be looked at; where a PROXY header comes first, that says who it is.
        each = (route.admitted is not None or is_limited(route)) and not route.proxy
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
                if error.errno in PASSING:
                    continue
                raise
            descriptors.recovered()
            taken = not each or counters.judge(route, host_of(address), time.monotonic())
            if not taken:
                self._around.doors.touched(self.live)
                os.close(descriptor)  # a reset: SO_LINGER is the listener's
                continue
            client = socket.SocketType(family, kind, proto, descriptor)
            client.setblocking(False)
            if not self.port:
                guard(client)  # a TCP socket has it from its listener
            if route.proxy:
                self.greet(client, address)
            else:
                self._let_in(client, address, taken)
        return True

    def _let_in(
        self,
        client: socket.SocketType,
        address: object,
        taken: bool | Reason,
        header: Header | None = None,
    ) -> None:
        """Begin the session of `client`, once it has proved who it is where it has to."""
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

    def begin(
        self,
        client: socket.SocketType,
        address: object,
        taken: bool | Reason,
        header: Header | None = None,
    ) -> None:
        """Begin the session of `client`, which is taken, or waits for a place before."""
        session = self.session(client, address)
        session.header = header
        session.waits = taken if isinstance(taken, Reason) else None
        self.live.arrived(self.live.route.name, self.port, address)
        try:
            session.start()
        except Exception:
            session.broke()
            raise

    def greet(self, client: socket.SocketType, address: object, until: float | None = None) -> None:
        """Let `client` say first for which client it comes."""
        if self.greetings is None:
            from ambassador.planes.relay.greeting import Greetings  # noqa: PLC0415

            self.greetings = Greetings(self._around, self.live, self._let_in, self._prove)
        self.greetings.add(client, address, until)
