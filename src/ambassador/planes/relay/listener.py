"""A bound TCP or unix socket, at which clients are accepted; `arrivals` goes on with them."""

from __future__ import annotations

import os
import select
import socket
import time

from ambassador.core.limits import is_limited
from ambassador.planes.relay.arrivals import Arrivals
from ambassador.planes.relay.client import host_of
from ambassador.planes.relay.descriptors import EXHAUSTED, PASSING
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.options import backlog, guard, tune
from ambassador.planes.relay.poller import LEVEL
from ambassador.planes.relay.shared import NO_DOOR
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.sockets.bind import close_listener
from ambassador.sockets.inherited import LentSocket, end_listening
from ambassador.tasks import Slice

__all__ = ["StreamListener"]

# Clients that are accepted in one go, before other work has its turn: 2 ms.
_BATCH = 16
# Reported once for each client, and only where no worker waits for one: the first process that
# waits gets the event (epoll(7)).
_LAST = select.EPOLLIN | select.EPOLLET | (1 << 28)  # EPOLLEXCLUSIVE; no name in Python 3.11
_OVERLOOKED = 0.02  # seconds in which workers accept a client that waits, unless none is at work
_BACKLOG_UNKNOWN = 4096  # for a unix socket: the kernel does not tell how many clients wait


class StreamListener(Arrivals):
    """Accepts on one listening socket (one port of a route, or a path)."""

    def __init__(
        self, around: Surroundings, live: LiveRoute, sock: socket.socket, port: int
    ) -> None:
        super().__init__(around, live, port)
        self.sock = sock
        # Stored: each look at these attributes makes an Enum, which takes half a microsecond.
        self._kind = int(sock.family), int(sock.type), sock.proto
        self._reading = False
        self._paused = False
        # Sockets that were handed over were open, and counted, before the budget was made.
        self._counted = not isinstance(sock, LentSocket)
        if self._counted:
            around.descriptors.listen()
        tune(sock, live.route.keepalive)
        self.is_open = False  # clients may be accepted
        self._aside = False  # workers accept them
        self._looked = 0

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
        """The number of the book in which workers count its sessions; see Shared."""
        return self._search.book

    @book.setter
    def book(self, number: int) -> None:
        self._search.book = number

    def look(self) -> None:
        """Accept clients that wait, if there are some: workers may have missed their event."""
        if self.is_open and self._has_clients():
            self._accept_batch()

    @property
    def takes(self) -> bool:
        """Tell whether clients need not wait."""
        return not self._paused

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
        self._turn_away()
        end_listening(self.sock)
        close_listener(self.sock)
        self._uncount()

    def _uncount(self) -> None:
        if self._counted:
            self._counted = False
            self._around.descriptors.listen(-1)

    def ready(self, events: int) -> None:
        """Accept; see poller.Ready."""
        if not self._aside:
            # To ask how many clients wait costs a third of an accept(2) that finds none. At least
            # one: this event says that there was one.
            self._accept_batch(min(self._waiting() or 1, _BATCH))
            if self._around.doors.workers:
                self._around.doors.warm(self)
            return
        # No worker waited for this client: nearly always they are busy. Look again in a while.
        self._pause()
        self._looked = self._around.doors.progress(self)
        self._around.poller.later(_OVERLOOKED, self._look_after)

    def broke(self) -> None:
        """Go on; see poller.Ready."""

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
        """Return how many clients wait in the backlog: for a listener TCP_INFO has this number in
        the place of unacknowledged segments (tcp_get_info of Linux). Unknown for a unix socket.
        """
        return backlog(self.sock, _BACKLOG_UNKNOWN) if self.port else _BACKLOG_UNKNOWN

    def _accept_batch(self, count: int = _BATCH) -> bool:
        """Accept up to `count` clients; tell whether there may be more."""
        descriptors, doors = self._around.descriptors, self._around.doors
        if self.book == NO_DOOR and doors.has_numbers:
            doors.number(self)  # before its first session is counted
        # socket.accept wraps this and makes a socket.socket of what it returns: 3 of 90 us.
        accept = self.sock._accept  # type: ignore[attr-defined]
        family, kind, proto = self._kind
        route, counters = self.live.route, self.live.counters
        # Each client has to be judged here, unless a PROXY header comes first and names it.
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
