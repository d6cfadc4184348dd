"""Clients of one listener whose PROXY header has not come yet: they have no session, and only the
header is read.

The header is read by MSG_PEEK first, so that the bytes after it stay in the kernel for the session;
each look is one read, and a header has at most 4096 bytes.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from ambassador.core.admission import admits, senders_of
from ambassador.core.proxy.header import MOST, Header
from ambassador.core.proxy.reading import BadHeaderError, read
from ambassador.model import Reason
from ambassador.planes.relay.client import host_of
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.poller import Ready
from ambassador.planes.relay.surroundings import Surroundings

__all__ = ["WITHIN", "Greeting", "Greetings"]

# Seconds from the accept to the end of the header: a few, and at least 3, so that a segment that
# was lost can come again (proxy-protocol.txt, section 2).
WITHIN = 5.0
_HANDSHAKE = 22  # the first byte of TLS (RFC 8446, section 5.1)
_END = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class Greetings:
    """Waits for the headers of clients of `live`. For a client that may come in, `begin` is called
    with its connection, its address, True or the reason for which it has to wait, and its header.
    `secret` is called for a client that begins with TLS: its header comes inside.
    """

    def __init__(
        self,
        around: Surroundings,
        live: LiveRoute,
        begin: Callable[[socket.SocketType, object, bool | Reason, Header], None],
        secret: Callable[[socket.SocketType, object], None],
    ) -> None:
        self._around = around
        self._live = live
        self._begin = begin
        self._secret = secret
        self._waiting: dict[Greeting, float] = {}  # until when, by the monotonic clock; in order
        self._armed = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting(self) -> dict[Greeting, float]:
        """The clients that wait, and until when, by the monotonic clock; without clients that speak
        TLS already, which no other process can go on with.
        """
        return {one: until for one, until in self._waiting.items() if not _speaks_tls(one.client)}

    def taken(self, greeting: Greeting) -> None:
        """Let go of the client: another process waits for its header."""
        self._leave(greeting)
        self._around.poller.remove(greeting.client.fileno())
        greeting.client.close()

    def add(self, client: socket.SocketType, address: object, until: float | None = None) -> None:
        """Wait for the header of `client`, at `address` as accept(2) gives it, if it may send one.
        `until`: see `waiting`, for a client that has waited in another process.
        """
        senders, host = senders_of(self._live.route.proxy), host_of(address)
        if senders is not None and not admits(senders, host):
            self._count(Reason.PROXY_SENDER, address)
            self._around.poller.close_socket(client)
            return
        self._around.descriptors.take(1)
        greeting = Greeting(self, client, address)
        self._waiting[greeting] = until or time.monotonic() + WITHIN
        if not greeting.look():  # nearly always the header comes with the connection
            self._around.poller.add(client.fileno(), greeting)
            self._arm()

    def close(self) -> None:
        """Reset the clients that wait."""
        for greeting in tuple(self._waiting):
            self.give_up(greeting)

    def read(self, greeting: Greeting, header: Header, size: int) -> None:
        """The header of `greeting` is there, and has `size` bytes. The client that it names is
        judged as if it had connected itself.
        """
        self._leave(greeting)
        client, whose, live = greeting.client, header.source or greeting.address, self._live
        if taken := live.counters.judge(live.route, host_of(whose), time.monotonic()):
            self._around.poller.remove(client.fileno())
            client.recv(size)
            self._begin(client, whose, taken, header)
        else:
            self._around.poller.close_socket(client)

    def is_secret(self, greeting: Greeting, data: bytes) -> bool:
        """Tell whether `greeting` begins with TLS and not with a header, as another ambassador
        does, so that the header is encrypted. Then it is passed to `secret` and leaves here.
        """
        client = greeting.client
        if self._live.route.tls is None or data[0] != _HANDSHAKE or _speaks_tls(client):
            return False
        self._leave(greeting)
        self._around.poller.remove(client.fileno())
        self._secret(client, greeting.address)
        return True

    def refuse(self, greeting: Greeting, reason: Reason) -> None:
        """Close the connection of `greeting`, and count the reason."""
        self.give_up(greeting)
        self._count(reason, greeting.address)

    def give_up(self, greeting: Greeting) -> None:
        """Close the connection of `greeting`; a reset, as its listener has it (options.guard)."""
        self._leave(greeting)
        self._around.poller.close_socket(greeting.client)

    def _count(self, reason: Reason, address: object) -> None:
        self._live.counters.turn_away(self._live.route.name, reason, host_of(address))

    def _leave(self, greeting: Greeting) -> None:
        if self._waiting.pop(greeting, None) is not None:
            self._around.descriptors.give(1)
            self._around.ended.set()

    def _arm(self) -> None:
        if not self._armed and self._waiting:
            self._armed = True
            due = next(iter(self._waiting.values()))
            self._around.poller.later(max(0.0, due - time.monotonic()), self._due)

    def _due(self) -> None:
        self._armed = False
        now = time.monotonic()
        for greeting, until in tuple(self._waiting.items()):
            if until > now:
                break
            self.refuse(greeting, Reason.PROXY_SLOW)
        self._arm()


def _speaks_tls(client: socket.SocketType) -> bool:
    return type(client) is not socket.SocketType


class Greeting(Ready):
    """One client; see poller.Ready."""

    __slots__ = ("_all", "address", "client")

    def __init__(self, greetings: Greetings, client: socket.SocketType, address: object) -> None:
        self._all = greetings
        self.client = client
        self.address = address

    def ready(self, events: int) -> None:
        """More of the header is there, or the end of the connection."""
        if not self.look() and events & _END:
            self._all.refuse(self, Reason.PROXY_CUT)

    def look(self) -> bool:
        """Look at what has come; return whether nothing more has to be waited for."""
        try:
            data = self.client.recv(MOST, socket.MSG_PEEK)
            if data and self._all.is_secret(self, data):
                return True
            found = read(data) if data else None
        except BlockingIOError:
            return False
        except OSError:  # reset
            self._all.refuse(self, Reason.PROXY_CUT)
            return True
        except BadHeaderError as error:
            self._all.refuse(self, error.reason)
            return True
        if found is not None:
            self._all.read(self, *found)
        return found is not None

    def broke(self) -> None:
        """Leave nothing half done; see poller.Ready."""
        self._all.give_up(self)
