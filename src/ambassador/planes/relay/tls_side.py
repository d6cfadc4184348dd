"""A side of a session that speaks TLS, and how it differs from a side without TLS.

Its socket takes plain bytes, and may keep encrypted bytes (`behind`) for which the kernel had no
room. They are sent when there is room, and the side is closed only after that. Imported where a
route speaks TLS.
"""

from __future__ import annotations

import select
import socket
from types import FunctionType
from typing import TYPE_CHECKING

from ambassador.planes.relay.side import Side
from ambassador.tls.stream import TlsSocket

if TYPE_CHECKING:
    from ambassador.planes.relay.pair import Pair

__all__ = ["TlsSide", "carried"]

_OUT, _IN = select.EPOLLOUT, select.EPOLLIN
_PLAIN = _OUT | _IN
_GONE = select.EPOLLERR | select.EPOLLHUP


def carried(sock: TlsSocket) -> TlsSocket:
    """Return `sock`, for which a session will make a TlsSide."""
    sock.side = TlsSide
    return sock


class TlsSide(Side):
    """See Side."""

    __slots__ = ("closing",)
    sock: TlsSocket
    passable = False

    def __init__(self, pair: Pair, sock: socket.SocketType) -> None:
        super().__init__(pair, sock)
        self.closing = False  # it closes as soon as the kernel has taken the bytes `behind`
        self.sock.wake = self._wake

    def ready(self, events: int) -> None:
        """See Side."""
        sock = self.sock
        if events == _PLAIN and self.unsent is None and not sock.behind:  # nearly always
            self.pump()
            return
        if sock.behind and events & _OUT and self.unsent is None:
            self._go_on()
            if self.closed:
                return
        if not sock.usual and sock.has_more:
            events |= _IN
        Side.ready(self, events)

    # A copy of the code: the interpreter speeds up attribute access for one class at each place of
    # the code, and the other side of such a session is mostly one without TLS.
    _pump = FunctionType(Side.pump.__code__.replace(), Side.pump.__globals__, "_pump")

    def pump(self) -> None:
        """See Side."""
        self._pump()
        if not self.sock.usual and self.sock.has_more and self.to is not None and not self.readable:
            self.poller.go_on(self)  # the socket has plain bytes: no event reports them

    def close(self) -> None:
        """Close with close_notify and an end, after the bytes `behind`."""
        if self.closed:
            return
        sock = self.sock
        try:
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            sock.behind = b""
        if sock.behind and not self.lost:
            self.closing = True
            return
        self.shut = True
        super().close()

    def undelivered(self) -> int | None:
        """See Side."""
        found = super().undelivered()
        return None if found is None else found + len(self.sock.behind)

    def lose(self) -> None:
        """See Side. The TLS socket knows the reason better than the event does."""
        if not self.closed and not self.lost and self.sock.failure:
            self.pair.side_failed(self, self.sock.failure)
        super().lose()
        if self.closing and not self.closed:
            self.sock.behind = b""
            super().close()

    def _go_on(self) -> None:
        """Send bytes `behind`: the kernel may have room for them."""
        try:
            if not self.sock.taken():
                return
        except OSError:
            self.sock.behind = b""
            self.lose()
            return
        if self.closing:
            self.shut = True
            super().close()
        elif self.peer is not None and self.peer.readable:
            self.peer.pump()

    def _wake(self) -> None:
        if not self.closed:
            self.poller.go_on(self)
