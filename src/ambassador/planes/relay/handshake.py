"""Clients whose TLS handshake is not complete: their sessions begin after it.

A listener has one timer for all of them, and none while there are none. A client that stalls costs
a descriptor until its time is over, and is served after all open sessions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ambassador.core.limits import is_limited
from ambassador.model import Reason
from ambassador.planes.relay.client import host_of
from ambassador.planes.relay.options import END_ON_CLOSE, reset
from ambassador.planes.relay.poller import Ready
from ambassador.planes.relay.tls_side import carried

if TYPE_CHECKING:
    import socket

    from ambassador.core.proxy.header import Header
    from ambassador.planes.relay.live import LiveRoute
    from ambassador.planes.relay.surroundings import Surroundings
    from ambassador.tls.stream import TlsSocket

__all__ = ["Handshakes"]

_LIMIT = 10.0  # seconds for a handshake, from the accepted connection on
_TICK = 0.25
_MOST = 1024  # at once: with more, the oldest is refused

Proved = Callable[["socket.SocketType", object, "bool | Reason", "Header | None"], None]


class Handshakes:
    """The handshakes of one listener; `proved` is called for each client that has completed it."""

    def __init__(self, around: Surroundings, live: LiveRoute, proved: Proved) -> None:
        self.around = around
        self.live = live
        self.proved = proved
        self._all: dict[_Handshake, float] = {}  # until when; the first to end comes first
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._all)

    def begin(
        self,
        client: socket.SocketType,
        address: object,
        taken: bool | Reason,
        header: Header | None,
    ) -> None:
        """Begin the handshake of `client`; its `header` may have come before. `taken`: see
        Arrivals.begin.
        """
        if len(self._all) >= _MOST:
            next(iter(self._all)).fail("others have come since, and it was too slow")
        try:
            sock = carried(self.around.keyring.accept(client, self.live.route))
        except Exception:
            reset(client)
            client.close()
            self._gone(address, taken)
            raise
        self.around.descriptors.take(1)
        one = _Handshake(self, sock, (address, taken, header))
        self._all[one] = time.monotonic() + _LIMIT
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TICK, self._look)
        self.around.poller.add(sock.fileno(), one, patient=True)

    def refuse(self, address: object, taken: bool | Reason, reason: Reason, why: str) -> None:
        """Count the client at `address` as refused for `reason`; `why` says more."""
        counters, host = self.live.counters, host_of(address)
        counters.refused += 1
        counters.turned_away.add(self.live.route.name, reason, host, why)
        self._gone(address, taken)

    def _gone(self, address: object, taken: bool | Reason) -> None:
        if taken is True and is_limited(self.live.route):
            self.live.counters.limits.left(host_of(address))

    def over(self, one: _Handshake) -> None:
        """`one` is over, in whatever way."""
        if self._all.pop(one, None) is not None:
            self.around.descriptors.give(1)
            self.around.ended.set()

    def close(self) -> None:
        """Close all clients whose handshake is not complete."""
        for one in tuple(self._all):
            one.drop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now = time.monotonic()
        for one, until in tuple(self._all.items()):
            if until > now:
                break
            one.fail("it did not finish its handshake in time")
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_TICK, self._look) if self._all else None


class _Handshake(Ready):
    """One client; see poller.Ready."""

    def __init__(
        self,
        all_: Handshakes,
        sock: TlsSocket,
        known: tuple[object, bool | Reason, Header | None],
    ) -> None:
        self._all = all_
        self._sock = sock
        self._known = known

    def ready(self, events: int) -> None:
        """Go on with the handshake; see poller.Ready."""
        try:
            over = self._sock.handshake()
        except OSError as error:
            self.fail(self._sock.failure or str(error).lower())
            return
        if over:
            self._all.over(self)
            self._all.around.poller.remove(self._sock.fileno())
            self._all.proved(self._sock, *self._known)

    def fail(self, why: str) -> None:
        """Close it and count it as refused, for `why`."""
        if self.drop():
            reason = Reason.IDENTITY if self._sock.unwanted else Reason.HANDSHAKE
            self._all.refuse(*self._known[:2], reason, why)

    def drop(self) -> bool:
        """Close it, after an alert if there is one; tell whether it was open."""
        sock = self._sock
        if sock.fileno() < 0:
            return False
        self._all.over(self)
        if sock.failure:  # an alert tells it why
            with suppress(OSError):
                sock.setsockopt(*END_ON_CLOSE)
        else:
            reset(sock)
        self._all.around.poller.close_socket(sock)
        return True

    def broke(self) -> None:
        """See poller.Ready."""
        self.fail("an error of the relay, which is in its log")
