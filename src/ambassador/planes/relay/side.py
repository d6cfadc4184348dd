"""One of the two connections of a pair: it reads from its socket, and writes to its peer's.

Bytes do not pass through the table of `core.session`: what is read from one side is written to the
other at once. What the kernel does not take is kept; from the poller's `limit` on, nothing more is
read until some of it is gone.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from ambassador.core.session import Event, State
from ambassador.planes.relay.delivery import Delivery
from ambassador.planes.relay.options import END_ON_CLOSE, is_over, reset, unacknowledged
from ambassador.planes.relay.poller import Pausing

if TYPE_CHECKING:
    from ambassador.planes.relay.pair import Pair

__all__ = ["Side", "side_of"]

_PLAIN = select.EPOLLIN | select.EPOLLOUT  # data, and room to write: reported with every edge
_WRITING = socket.SHUT_WR
_PLAIN_SOCKET = socket.SocketType
_OUT = select.EPOLLOUT
_ERROR = select.EPOLLERR
_ODD = _ERROR | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLPRI
_READABLE = select.EPOLLIN | _ODD
# To look up a member of an Enum takes 80 ns, a name of the module 20.
_CLIENT_END, _UPSTREAM_END = Event.CLIENT_END, Event.UPSTREAM_END
_FINISHING = State.FINISHING


def side_of(pair: Pair, sock: socket.SocketType) -> Side:
    """Return the side for `sock`: a socket that speaks TLS has a class of its own for it."""
    if type(sock) is _PLAIN_SOCKET:  # nearly always
        return Side(pair, sock)
    side: Callable[[Pair, socket.SocketType], Side] = getattr(sock, "side", None) or Side
    return side(pair, sock)


class Side(Pausing):
    """One of the two connections. It reads from its socket and writes to its peer's."""

    __slots__ = (
        "closed", "delivery", "ended", "ending", "finishing", "lost", "pair", "peer", "poller",
        "readable", "received", "shut", "sock", "to", "unsent",
    )  # fmt: skip
    passable = True  # another process could carry it

    def __init__(self, pair: Pair, sock: socket.SocketType) -> None:
        self.pair = pair
        self.sock = sock
        self.poller = pair.poller
        self.peer: Side | None = None
        self.to: Side | None = None  # the peer, as long as there may be something to read
        self.received = 0
        self.unsent: bytearray | None = None  # for this side, read from its peer
        self.readable = False  # there may be more to read
        self.ending = False  # an end, an error or urgent data follows what there is to read
        self.ended = False  # its end has been read
        self.finishing = False  # our end follows the unsent bytes
        self.shut = False  # our end is sent
        self.lost = False  # the connection is reset; there may still be something to read
        self.delivery: Delivery | None = None  # of the last bytes of a peer that is lost
        self.closed = False

    def ready(self, events: int) -> None:
        """React to events of its socket; see poller.Ready."""
        if events == _PLAIN and self.unsent is None:  # nearly always
            self.pump()
            return
        if events & _ODD:
            self._odd(events)
        if events & _OUT and self.unsent is not None:
            self._flush()
        if events & _READABLE:
            self.pump()

    def pump(self) -> None:
        """Pass on what can be read now, one read of it."""
        to = self.to
        if to is None or (to.unsent is not None and to.full):
            self.readable = True
            if self.ending and to is not None:
                self._learn_error()  # no edge reports it again
            return
        poller = self.poller
        most = poller.memory.reading
        try:
            count = self.sock.recv_into(poller.buffer, most)
        except OSError as error:
            self.readable = False
            if self.lost or not isinstance(error, BlockingIOError):
                self._exhausted()
            return
        if not count:
            self._at_end()
            return
        self.received += count
        if to.unsent is not None:
            to.unsent += poller.view[:count]
            poller.memory.add(count)
        else:
            try:
                sent = to.sock.send(poller.view[:count])
            except BlockingIOError:
                sent = 0
            except OSError:
                to.lose()  # its own last bytes, as an early answer, are still read
                return
            if sent < count:
                to.unsent = bytearray(poller.view[sent:count])
                poller.memory.add(count - sent)
        if count == most or self.ending:
            # After a shorter read nothing is left, and the next byte makes an edge (epoll(7)).
            poller.go_on(self)
        else:
            self.readable = False

    @property
    def full(self) -> bool:
        """Whether so much is unsent that its peer is no longer read."""
        return self.unsent is not None and len(self.unsent) >= self.poller.memory.allowed

    def end(self) -> None:
        """Pass on the peer's end, after all its bytes."""
        if self.unsent is not None:
            self.finishing = True
        elif self.pair.state is not _FINISHING:  # else the close that follows says it, too
            try:
                self.sock.shutdown(_WRITING)
                self.shut = True
            except OSError:  # it is reset: the poller reports it
                pass

    def lose(self) -> None:
        """The connection is reset, or has failed in another way. What it has sent is still read."""
        if self.closed or self.lost:
            return
        pair = self.pair
        pair.happened(Event.CLIENT_RESET if self is pair.client else Event.UPSTREAM_RESET)

    def deliver(self) -> None:
        """The peer is lost: send what it had sent to this side, then tell the pair. Nothing more is
        sent to the peer.
        """
        peer = self.peer
        assert peer is not None
        peer.lost = peer.ending = True
        self.to = None
        peer.forget_unsent()
        delivery = self.delivery = Delivery(self)
        if peer.to is not None:
            peer.pump()
        delivery.look()

    def forget_unsent(self) -> None:
        """Drop the unsent bytes."""
        if self.unsent is not None:
            self.poller.memory.add(-len(self.unsent))
            self.unsent = None

    def undelivered(self) -> int | None:
        """Return how many bytes for it are not acknowledged yet; None when it is closed."""
        if self.closed or self.peer is None:
            return None
        waiting = len(self.unsent) if self.unsent is not None else 0
        return waiting + unacknowledged(self.sock) + (self.peer.to is not None)

    def delivered(self) -> None:
        """Tell the pair that the last bytes of the lost peer are delivered, or given up."""
        self.pair.happened(Event.DELIVERED)

    def reset(self) -> None:
        """Close now, with a reset; bytes not yet sent are dropped."""
        if not self.closed:
            reset(self.sock)
            self._close()

    def close(self) -> None:
        """Close now, with an end; the kernel sends what it has."""
        if not self.closed:
            try:
                if self.ended and not self.shut:
                    self.sock.shutdown(_WRITING)  # a peer on this host acknowledges it at once
                if not (self.ended and is_over(self.sock)):
                    self.sock.setsockopt(*END_ON_CLOSE)
            except OSError:
                pass
            self._close()

    def _close(self) -> None:
        self.closed = True
        self.to = self.delivery = None
        if self.unsent is not None:
            self.forget_unsent()
        self.poller.close_socket(self.sock)
        self.pair.side_closed()

    def _at_end(self) -> None:
        if self.lost:  # its error is known already
            self._exhausted()
            return
        self.ended = True
        self.to = None
        pair = self.pair
        pair.happened(_CLIENT_END if self is pair.client else _UPSTREAM_END)

    def _exhausted(self) -> None:
        """There will be nothing more to read."""
        self.to = None
        if not self.lost:
            self.lose()
        elif self.peer is not None and self.peer.delivery is not None:
            self.peer.delivery.look()

    def close_when_sent(self) -> None:
        """Close as soon as everything is written."""
        if self.unsent is None:
            self.close()

    def _flush(self) -> None:
        assert self.unsent is not None
        try:
            sent = self.sock.send(self.unsent)
        except BlockingIOError:
            return
        except OSError:
            self.lose()
            return
        del self.unsent[:sent]
        self.poller.memory.add(-sent)
        if self.unsent:
            if self.peer is not None and self.peer.readable:
                self.peer.pump()
            return
        self.unsent = None
        if self.pair.state is _FINISHING:
            self.close()
            return
        if self.finishing:
            self.end()
        if self.peer is not None and self.peer.readable:
            self.peer.pump()

    def broke(self) -> None:
        """What was read may be lost; see poller.Ready."""
        if not self.closed:
            self.pair.broke()

    def _odd(self, events: int) -> None:
        self.ending = True
        if self.closed:
            return
        # A read stops before urgent data, so that then a short one is not all there was.
        if not events & _ERROR:
            if self.peer is None:
                self.pair.ended_early()
            return
        # Where the side is not read at present, ask for the error here; else reading will meet it.
        if self.peer is None or self.to is None or self.peer.full:
            self._learn_error()

    def _learn_error(self) -> None:
        if self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.lose()
