"""Where HTTP is answered: an application on a bound socket, by uvicorn and h11.

What the protocol itself must bear stands here: slow and huge heads, too many connections, and
who is at the other end of a unix socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ambassador.sockets.unix import PathSocket, peer, remove
from ambassador.tasks import spawn

if TYPE_CHECKING:
    import uvicorn

__all__ = ["HEAD_LIMIT", "HEAD_TIME", "Door"]

HEAD_LIMIT = 16 << 10  # bytes of a request line with its headers
HEAD_TIME = 10.0  # seconds in which a request must have come as far as the end of its headers
_CONNECTIONS = 128  # beyond, requests are answered with 503


class Door:
    """Answers on `sock`, which listens, with what `build` returns."""

    def __init__(self, sock: socket.socket, build: Callable[[], Any], name: str) -> None:
        self._socket = sock
        self._build = build
        self._name = name
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def sock(self) -> socket.socket:
        """Where it listens."""
        return self._socket

    async def start(self) -> None:
        """Begin to answer."""
        # 60 ms of imports, in a thread, so that the first clients are not kept waiting.
        self._server = await asyncio.to_thread(self._serving)
        self._task = spawn(self._server.serve(sockets=[self._socket]), self._name)

    async def stop(self) -> None:
        """Answer no longer, close the socket and every connection; its file goes first."""
        if isinstance(self._socket, PathSocket):
            remove(self._socket)
        if self._server is not None and self._task is not None:
            self._server.should_exit = self._server.force_exit = True
            self._stopping.set()
            await self._task
        self._socket.close()

    def _serving(self) -> uvicorn.Server:
        import uvicorn  # noqa: PLC0415
        from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415

        # It warns of each request that is no HTTP: whoever sends rubbish could fill the log.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        stopping = self._stopping

        class Server(uvicorn.Server):
            """Without uvicorn's own signals, and asleep where uvicorn looks ten times a second
            whether it is to stop: an idle ambassador uses no CPU.
            """

            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield

            async def main_loop(self) -> None:
                await stopping.wait()

        class Connection(H11Protocol):
            """With a limit for the time a head may take, and the user of a unix socket."""

            overdue: asyncio.TimerHandle | None = None

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                if self.client is None:
                    self.client = (_user(transport), 0)
                self._watch()

            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                self._watch()

            def on_response_complete(self) -> None:
                super().on_response_complete()
                self._watch()

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                self._forget()

            def _watch(self) -> None:
                """Have a limit while no request is being answered."""
                if self.cycle is not None and not self.cycle.response_complete:
                    self._forget()
                elif self.overdue is None and not self.transport.is_closing():
                    self.overdue = self.loop.call_later(HEAD_TIME, self.transport.abort)

            def _forget(self) -> None:
                if self.overdue is not None:
                    self.overdue.cancel()
                    self.overdue = None

        return Server(
            uvicorn.Config(
                self._build(),
                log_config=None,
                access_log=False,
                date_header=False,  # main_loop would keep it true
                server_header=False,
                lifespan="off",
                ws="none",
                http=Connection,
                h11_max_incomplete_event_size=HEAD_LIMIT,
                limit_concurrency=_CONNECTIONS,
            )
        )


def _user(transport: asyncio.Transport) -> str:
    """Return the user at the other end of a unix socket: `uid 1000`."""
    # uvloop's socket knows no getsockopt.
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as sock:
        _pid, user = peer(sock)
    return f"uid {user}"
