"""One HTTP connection: uvicorn's on h11, with limits on what one client may cost.

Imported with the first client: it imports uvicorn, which takes 60 ms.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from ambassador import log
from ambassador.sockets.unix import peer

__all__ = ["Connection", "configured"]

# Bytes given to h11 at a time. A chunk of a body may have six bytes and takes 15 us, a header of
# four bytes takes 10 us: 256 KiB at once would keep sessions waiting for half a second.
_PIECE = 2048
_BUFFERED = 64 << 10  # bytes that may wait to be given to h11
_AGAIN = 0.005  # seconds until the next look whether uvicorn takes more
_LINES = 100  # of one head; a browser sends 20 headers


def configured(build: Callable[[], Any], head_limit: int) -> uvicorn.Config:
    """Return uvicorn's configuration: it logs nothing by itself, and trusts no header that names
    the caller.
    """
    config = uvicorn.Config(
        build(),
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        # X-Forwarded-For is written by the client.
        proxy_headers=False,
        lifespan="off",
        ws="none",
        http="h11",
        h11_max_incomplete_event_size=head_limit,
    )
    config.load()
    return config


class Connection(H11Protocol):
    """`head_time`: seconds in which the head of a request must have come. `send_time`: seconds for
    which a client may read nothing of its answer. `lost` is called when the connection has ended.
    `reads` has the tasks of requests that change nothing, while they are being answered; `unbegun`
    those of requests whose application is still being built.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        *,
        head_time: float,
        send_time: float,
        lost: Callable[[Connection], None],
        reads: set[asyncio.Task[Any]],
        unbegun: set[asyncio.Task[Any]],
    ) -> None:
        told = {"gone": self.gone, "reads": reads, "unbegun": unbegun}
        super().__init__(config, state, told, asyncio.get_running_loop())
        self._head_time = head_time
        self._send_time = send_time
        self._lost = lost
        self._overdue: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._buffer = bytearray()
        self._lines = 0
        self._last = b""
        self._ended = False

    @property
    def waits(self) -> bool:
        """Whether it waits for the client: for a request, for the rest of a request, or for the
        client to read the answer.
        """
        return self._unread is not None or not self._answering or self.cycle.more_body

    @property
    def busy(self) -> bool:
        """Whether there may be a request that is not answered completely."""
        if self.transport is None or self._buffer or self._answering:
            return True
        return bool(self.transport.get_write_buffer_size())

    @property
    def silent(self) -> bool:
        """Whether no request has come yet."""
        return self.cycle is None

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def gone(self) -> bool:
        """Return whether the client has gone and waits for no answer. The kernel is asked, because
        it knows before the event loop does.

        Over TCP a half-close (FIN) counts as the end, because TCP does not tell the two apart; a
        unix socket does (poll(2), unix_poll in net/unix/af_unix.c).
        """
        if self.transport.is_closing():
            return True
        sock = self.transport.get_extra_info("socket")
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLRDHUP)
        found = poll.poll(0)
        ended = select.POLLHUP | select.POLLERR
        if sock.family != socket.AF_UNIX:
            ended |= select.POLLRDHUP
        return any(events & ended for _, events in found)

    def abort(self) -> None:
        """End it now; the client sees a reset."""
        if self.transport is not None:
            self.transport.abort()

    def leave(self) -> None:
        """End it after the answer that is being written."""
        try:
            self.shutdown()
        except h11.LocalProtocolError:  # the client has sent something that is not HTTP
            self.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; see asyncio.Protocol."""
        super().connection_made(transport)
        if self.client is None:
            self.client = (_user(transport), 0)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take the bytes, piece by piece; see asyncio.Protocol."""
        self._buffer += data
        if len(self._buffer) > _BUFFERED:
            self.transport.pause_reading()
        if self._turn is None:
            self._feed()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer the requests that came before the end; see asyncio.Protocol."""
        self._ended = True
        return bool(self._buffer) or self._answering

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are not HTTP; see uvicorn. Requests before them get no other answer."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        super().send_400_response(msg)

    def on_response_complete(self) -> None:
        """Start the time limit of the next head; see uvicorn."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it; see asyncio.Protocol."""
        super().connection_lost(exc)
        for one in (self._overdue, self._unread, self._turn):
            if one is not None:
                one.cancel()
        self._overdue = self._unread = self._turn = None
        self._buffer.clear()
        self._lost(self)

    def pause_writing(self) -> None:
        """Start the time limit for a client that does not read; see asyncio.BaseProtocol."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self._send_time, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on; see asyncio.BaseProtocol."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _feed(self) -> None:
        self._turn = None
        if self.transport.is_closing():
            self._buffer.clear()
            return
        if self.flow.read_paused:  # a body that is not read yet, or a request behind another
            self._turn = self.loop.call_later(_AGAIN, self._feed)
            return
        piece = bytes(self._buffer[:_PIECE])
        del self._buffer[:_PIECE]
        try:
            if self._too_many_lines(piece):
                self.send_400_response("Too many headers.")
            else:
                super().data_received(piece)
        except Exception as error:
            # An input that h11 or uvicorn does not expect. Only at level debug: a client may send
            # it again and again.
            log.event(log.DEBUG, "no_http", f"a request that is not HTTP: {error!r}")
            self.transport.abort()
            return
        self._watch()
        if self._buffer:
            self._turn = self.loop.call_soon(self._feed)
        elif not self.flow.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def _too_many_lines(self, piece: bytes) -> bool:
        """Count the lines of a head: its bytes are limited, but 4,000 headers fit in them."""
        if self._answering:
            self._lines, self._last = 0, b""
            return False
        head, end, _ = (self._last + piece).partition(b"\r\n\r\n")
        self._lines = 0 if end else self._lines + head.count(b"\n", len(self._last))
        self._last = piece[-3:]
        return max(self._lines, head.count(b"\n")) > _LINES

    def _watch(self) -> None:
        """Have a time limit while no request is being answered."""
        if self._answering:
            if self._overdue is not None:
                self._overdue.cancel()
                self._overdue = None
        elif self._ended and not self._buffer:
            self.transport.close()
        elif self._overdue is None and not self.transport.is_closing():
            self._overdue = self.loop.call_later(self._head_time, self.transport.abort)


def _user(transport: asyncio.Transport) -> str:
    """Return the user at the other end of a unix socket: `uid 1000`."""
    # uvloop's socket knows no getsockopt.
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as sock:
        return f"uid {peer(sock)[1]}"
