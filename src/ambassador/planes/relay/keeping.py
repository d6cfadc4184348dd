"""Copies of all listening sockets, kept by one worker in case the relay is killed. Then clients of
listeners at which no worker accepts are not refused, but wait in the backlog for the next relay.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ambassador.sockets.inherited import LentSocket

if TYPE_CHECKING:
    from ambassador.planes.relay.poller import Poller
    from ambassador.planes.relay.route import StreamOrUdp
    from ambassador.planes.relay.worker import Worker

__all__ = ["Keeping"]

_PIECE = 50  # sockets that are sent in one turn of the event loop: 2 ms


class Keeping:
    """Has copies of all `listeners` kept, except of sockets that systemd has lent, and keeps."""

    def __init__(self, poller: Poller, listeners: Callable[[], Iterable[StreamOrUdp]]) -> None:
        self._poller = poller
        self._listeners = listeners
        self._keeper: Worker | None = None
        self._numbers: dict[StreamOrUdp, int] = {}
        self._counting = itertools.count(1)
        self._due: list[StreamOrUdp] = []

    def look(self, workers: Iterable[Worker]) -> None:
        """Have one of `workers` keep a copy of each listener, and close copies of all others."""
        keeper = next((one for one in workers if one.is_ready), None)
        if keeper is not self._keeper:
            self._keeper = keeper
            self._numbers.clear()
        if keeper is None:
            return
        here = {one for one in self._listeners() if _is_ours(one)}
        for gone in [one for one in self._numbers if one not in here]:
            keeper.drop(self._numbers.pop(gone))
        self._due = [one for one in here if one not in self._numbers]
        self._keep_some()

    def _keep_some(self) -> None:
        keeper = self._keeper
        if keeper is None or not keeper.is_ready:
            return
        piece, self._due = self._due[:_PIECE], self._due[_PIECE:]
        for listener in piece:
            if listener not in self._numbers and listener.sock.fileno() >= 0:
                number = self._numbers[listener] = next(self._counting)
                keeper.keep(number, listener.sock)
        if self._due:
            self._poller.later(0.0, self._keep_some)


def _is_ours(listener: StreamOrUdp) -> bool:
    sock = listener.sock
    return sock.fileno() >= 0 and not (isinstance(sock, LentSocket) and sock.lent)
