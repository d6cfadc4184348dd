"""What a worker tells the relay of its sessions: soon, and of many in one message.

Where there are many sessions, most are over in a moment. Of sessions that are over before the relay
was told of them only sums are told, unless the relay wants to know of each.
"""

from __future__ import annotations

import os
import socket
import time
from bisect import bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING

from ambassador.core.session import Event
from ambassador.planes.relay.options import keep_alive
from ambassador.planes.relay.worker_messages import Ended, Item, Joined, Message, News, Opened, Sum

if TYPE_CHECKING:
    from ambassador.planes.relay.doorway import Carried

__all__ = ["Reports", "inode_of"]

_SOON = 0.05  # seconds until the relay is told, unless it asks sooner
_LARGEST = 6000  # bytes of one message, about
_TIMES = 400  # sessions of one sum: 16 bytes each


class _Short:
    """Sessions that were over in a moment, of one way of a door, and all ended by one event."""

    __slots__ = ("connects", "to_client", "to_upstream", "totals")

    def __init__(self) -> None:
        self.to_upstream = self.to_client = 0
        self.connects: list[float] = []
        self.totals: list[float] = []


class Reports:
    """Sends messages by `tell`, after a pause made by `later` (see Poller). Tells of short sessions
    in `sums`, or of each.
    """

    def __init__(
        self,
        tell: Callable[[Message], None],
        later: Callable[[float, Callable[[], None]], object],
        *,
        sums: bool,
    ) -> None:
        self.soon = False  # flush after this turn of the poller: sockets are closed by then
        self._tell = tell
        self._later = later
        self._sums = sums
        self._asked = False
        self._fresh: list[Carried] = []  # sessions that the relay has not been told of
        self._items: list[Item] = []
        self._short: dict[tuple[int, int, Event], _Short] = {}

    def begun(self, pair: Carried) -> None:
        """`pair` has been accepted."""
        self._fresh.append(pair)
        if not self._asked:
            self._ask()

    def joined(self, pair: Carried, upstream: socket.SocketType) -> None:
        """`pair` has its `upstream`."""
        if pair.told:
            number = os.fstat(upstream.fileno()).st_ino
            self.add(Joined(pair.key, pair.way.number, pair.connected, number))
            _keep(pair, upstream)

    def ended(self, pair: Carried) -> None:
        """`pair` has ended; its sides are still there."""
        upstream, door = pair.upstream, pair.doorway
        up, down = pair.client.received, upstream.received if upstream is not None else 0
        if door is None or pair.told:
            self.add(Ended(pair.key, pair.event, up, down))
            self.soon = True
            return
        connected = pair.connected
        way = pair.way.number if connected else 0
        if not self._sums:
            self._items.append(_opened(pair))
            self.add(Ended(pair.key, pair.event, up, down))
            pair.told = True
            return
        key = door.number, way, pair.event
        short = self._short.get(key)
        if short is None:
            short = self._short[key] = _Short()
        short.to_upstream += up
        short.to_client += down
        if connected:
            short.connects.append(connected - pair.started)
        short.totals.append(time.monotonic() - pair.started)
        pair.told = True

    def add(self, item: Item) -> None:
        """Tell `item` soon."""
        self._items.append(item)
        if not self._asked:
            self._ask()

    def flush(self) -> None:
        """Tell everything now."""
        self._tell_begun(len(self._fresh))
        self._tell_sums()
        self.tell_known()

    def tell_known(self) -> None:
        """Tell now what waits of sessions that the relay has been told of."""
        self.soon = False
        items, self._items = self._items, []
        size, piece = 0, list[Item]()
        for item in items:
            piece.append(item)
            size += 16 * len(item.totals) if isinstance(item, Sum) else 100
            if size > _LARGEST:
                self._tell(News(tuple(piece)))
                size, piece = 0, []
        if piece:
            self._tell(News(tuple(piece)))

    def _tell_begun(self, count: int) -> None:
        """Tell of the first `count` sessions that the relay does not know, but for those that have
        ended: they are in the sums.
        """
        begun, self._fresh = self._fresh[:count], self._fresh[count:]
        for pair in begun:
            if not pair.told:
                pair.told = True
                self._items.append(_opened(pair))
                if pair.upstream is not None:
                    _keep(pair, pair.upstream.sock)

    def _tell_sums(self) -> None:
        short, self._short = self._short, {}
        for (door, way, event), one in short.items():
            up, down = one.to_upstream, one.to_client
            for start in range(0, len(one.totals), _TIMES):
                connects = tuple(one.connects[start : start + _TIMES])
                totals = tuple(one.totals[start : start + _TIMES])
                self._items.append(Sum(door, way, event, up, down, connects, totals))
                up = down = 0

    def _ask(self) -> None:
        self._asked = True
        self._later(_SOON, self._due)

    def _due(self) -> None:
        """Tell of sessions that are no longer young, and of all that have ended. To tell of a young
        one costs as much as to carry it, and most of them end before they are asked for.
        """
        self._asked = False
        lasting = time.monotonic() - _SOON
        self._tell_begun(bisect_right(self._fresh, lasting, key=_started))
        self._tell_sums()
        self.tell_known()
        self._fresh = [pair for pair in self._fresh if not pair.told]
        if self._fresh:
            self._ask()


def _started(pair: Carried) -> float:
    return pair.started


def _opened(pair: Carried) -> Opened:
    door = pair.doorway
    assert door is not None
    way = pair.way.number if pair.connected else 0
    client, upstream = pair.client.sock, pair.upstream
    inodes = inode_of(client), inode_of(upstream.sock) if upstream is not None else 0
    return Opened(
        *(pair.key, door.number, way, pair.started, pair.connected, inodes), pair.name_client()
    )


def inode_of(sock: socket.SocketType) -> int:
    """Return the inode of `sock`, as in /proc/PID/fd; 0 where it is closed."""
    return os.fstat(sock.fileno()).st_ino if sock.fileno() >= 0 else 0


def _keep(pair: Carried, upstream: socket.SocketType) -> None:
    """Give `upstream` its keepalive; a session that lives only for a moment goes without."""
    if pair.doorway is not None and pair.way.port:
        try:  # noqa: SIM105 (contextlib is not imported for this)
            keep_alive(upstream, pair.doorway.keepalive)
        except OSError:  # it is reset: the poller reports it
            pass
