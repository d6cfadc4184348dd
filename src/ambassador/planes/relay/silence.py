"""A peer that acknowledges nothing is gone: TCP itself takes a quarter of an hour to find that out.

`keepalive` sends probes only where no bytes are unacknowledged (tcp(7)); else the kernel sends the
bytes again, up to tcp_retries2 times. TCP_USER_TIMEOUT ends that sooner, but it also ends a
connection whose peer is there and keeps its window closed (tcp_probe_timer of Linux). So TCP_INFO
is read here: a peer is silent while a retransmission, or a probe of its window, has no answer.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from typing import NamedTuple

from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.side import Side

__all__ = ["Progress", "SilenceWatch", "is_unanswered"]

_EVERY = 2.0  # seconds between two looks at all; 1 us for each side
_PIECE = 500  # sides looked at before other work has its turn
# struct tcp_info of linux/tcp.h: retransmits and probes; the milliseconds since data was sent last,
# and since an acknowledgement was received last.
_INFO = struct.Struct("=2xBB40xI8xI")


class Progress(NamedTuple):
    """What TCP_INFO tells of one connection. `retransmits` and `probes`: how many in a row have no
    answer; `last_sent` and `last_acknowledged` in milliseconds before now.
    """

    retransmits: int
    probes: int
    last_sent: int
    last_acknowledged: int


def is_unanswered(progress: Progress) -> bool:
    """Return whether the peer has not answered what was sent to it again. A peer that keeps its
    window closed acknowledges each probe, and data that it has no room for.
    """
    if progress.probes > 1:
        return True
    return progress.retransmits > 0 and progress.last_acknowledged > progress.last_sent


class SilenceWatch:
    """Treats as lost the sides of sessions in `poller` whose peers have been silent for twice their
    `keepalive`, the time in which keepalive finds out that an idle peer is gone. Does nothing where
    keepalive is off.
    """

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._since: dict[Side, float] = {}  # sides that are silent, since when (monotonic clock)
        poller.later(_EVERY, self._look)

    def _look(self) -> None:
        if self._poller.closed:
            return
        self._since = {side: since for side, since in self._since.items() if not side.closed}
        self._look_at([one for one in self._poller.watched if isinstance(one, Side)])

    def _look_at(self, sides: Sequence[Side]) -> None:
        now = time.monotonic()
        for side in sides[:_PIECE]:
            if not side.closed:
                self._judge(side, now)
        if rest := sides[_PIECE:]:
            self._poller.later(0.0, lambda: self._look_at(rest))
        else:
            self._poller.later(_EVERY, self._look)

    def _judge(self, side: Side, now: float) -> None:
        try:
            told = side.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
        except OSError:  # a unix socket
            return
        if len(told) < _INFO.size or (not told[2] and not told[3]):  # nearly always the second
            self._since.pop(side, None)
        elif is_unanswered(Progress(*_INFO.unpack(told))):
            if now - self._since.setdefault(side, now) >= _limit(side.sock):
                side.lose()
        else:
            self._since.pop(side, None)


def _limit(sock: socket.SocketType) -> float:
    """Return the seconds of silence after which the peer of `sock` is gone."""
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
        return float("inf")
    return 2.0 * sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
