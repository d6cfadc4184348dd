"""A listener that answers HTTP: an application on a bound socket, by uvicorn and h11.

A door has a limit of connections. When it is reached, a new connection takes the place of the
oldest one that waits for its client. So idle connections, slow requests and clients that do not
read keep no other client out. The limits of one connection are in `connection.py`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ambassador.admin.health import unanswerable
from ambassador.admin.imports import import_uvicorn
from ambassador.core.shares import shares
from ambassador.sockets.unix import PathSocket, remove
from ambassador.tasks import spawn

if TYPE_CHECKING:
    from ambassador.admin.connection import Connection

__all__ = ["HEAD_LIMIT", "HEAD_TIME", "Door"]

HEAD_LIMIT = 16 << 10  # bytes of a request line with its headers
HEAD_TIME = 10.0  # seconds in which a request must have come as far as the end of its headers
SEND_TIME = 30.0  # seconds in which a client must have read some of its answer
_BATCH = 8  # connections accepted before other work has its turn
_PAUSE = 0.1  # seconds until the next accept when the system is out of descriptors or memory
_CLOSING = 0.1  # seconds for answers that are still being written when the door stops
_LINGER = 0.2  # seconds for the request of a client that was answered before it came
_LOOK = 0.02  # seconds between two looks whether all requests are answered
_QUIET = 5  # so many looks in a row must find no request to answer
_FRESH = 2.0  # seconds in which a new connection may send its first request
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_LOG_AGAIN = 60.0  # seconds between two lines about uvicorn's own troubles


class Door:
    """Answers on the listening socket `sock`, with the application that `build` returns. At most
    `limit` connections are open at one time (0: its share of the descriptors of the process);
    `pace` seconds pass between two batches of new connections.
    """

    def __init__(
        self,
        sock: socket.socket,
        build: Callable[[], Any],
        name: str,
        *,
        limit: int = 0,
        pace: float = 0.0,
    ) -> None:
        self._socket = sock
        self._build = build
        self._name = name
        self._limit = limit or shares(resource.getrlimit(resource.RLIMIT_NOFILE)[0]).connections
        self._pace = pace
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = False
        self._new: Callable[[], Connection] | None = None
        self._importing: asyncio.Task[None] | None = None
        self._open: dict[Connection, None] = {}  # the oldest first
        self._paused: asyncio.TimerHandle | None = None
        self._accepting = False
        self._draining = False
        self._turned_away: set[socket.socket] = set()
        self._emptied = asyncio.Event()
        self._reads: set[asyncio.Task[Any]] = set()  # requests that change nothing, not answered
        self._unbegun: set[asyncio.Task[Any]] = set()  # requests whose application is being built

    @property
    def _is_shared(self) -> bool:
        """Whether a successor has a copy of this socket: true of a port, not of a path."""
        return self._socket.family != socket.AF_UNIX

    @property
    def draining(self) -> bool:
        """Whether each answer is the last one of its connection."""
        return self._draining

    @property
    def sock(self) -> socket.socket:
        """Where it listens."""
        return self._socket

    async def start(self) -> None:
        """Begin to answer. The modules for this are imported with the first client: this saves
        60 ms and 3 MB at the start, and in an ambassador that gets no requests.
        """
        self._loop = asyncio.get_running_loop()
        self._socket.setblocking(False)
        self._started = True
        self._resume()

    async def drain(self, seconds: float) -> None:
        """Another process answers in our place: for `seconds` at most, answer the requests that
        have come here; each answer is the last of its connection. Callers in the backlog of a path
        are ours; those in the backlog of a port are left to the other process, which has a copy
        of the socket.
        """
        self._draining = True
        for task in self._reads:
            task.cancel()  # these requests are sent on to the other process (web.py)
        if self._is_shared:
            self._pause()
        loop = asyncio.get_running_loop()
        began, quiet = loop.time(), 0
        while quiet < _QUIET and loop.time() < began + seconds:
            await asyncio.sleep(_LOOK)  # requests that have come are read meanwhile
            new = loop.time() < began + _FRESH
            busy = self._importing is not None or any(
                one.busy or (new and one.silent) for one in self._open
            )
            quiet = 0 if busy else quiet + 1

    async def stop(self) -> None:
        """Stop answering: remove the file of the socket, then close the socket and every
        connection. Requests that change nothing and are not answered in time, and those that have
        not begun, get 503.
        """
        if isinstance(self._socket, PathSocket):
            remove(self._socket)
        self._pause()
        self._started = False
        if self._importing is not None:
            self._importing.cancel()
        for connection in list(self._open):
            if connection.transport is not None:
                connection.leave()
        if any(not connection.waits for connection in self._open):
            await asyncio.sleep(_CLOSING)
        if left := self._reads | self._unbegun:
            for task in left:
                task.cancel()  # answered with 503 (web.py, health.py)
            await asyncio.wait(left, timeout=_CLOSING)
        for connection in list(self._open):
            connection.abort()
        while self._open:  # the loop calls `_ended` for each of them
            self._emptied.clear()
            await self._emptied.wait()
        for client in tuple(self._turned_away):
            self._part(client)
        await asyncio.sleep(0)
        self._socket.close()

    def _connections(self) -> Callable[[], Connection]:
        import_uvicorn()
        from uvicorn.server import ServerState  # noqa: PLC0415

        from ambassador.admin.connection import Connection, configured  # noqa: PLC0415

        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        logging.getLogger("uvicorn.error").filters[:] = [_Seldom()]
        config = configured(lambda: _Closing(self._build(), self), HEAD_LIMIT)
        state = ServerState()
        return lambda: Connection(
            config,
            state,
            head_time=HEAD_TIME,
            send_time=SEND_TIME,
            lost=self._ended,
            reads=self._reads,
            unbegun=self._unbegun,
        )

    async def _import(self) -> None:
        """Import the modules that answer, in a thread, so that sessions do not wait for it."""
        try:
            self._new = await asyncio.to_thread(self._connections)
        except Exception as error:
            self._turn_away(unanswerable(error).encode())
        finally:
            self._importing = None
            if self._started:
                self._resume()

    def _turn_away(self, body: bytes) -> None:
        """Answer each client that waits with 503 and `body`."""
        head = f"HTTP/1.1 503 \r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        for _ in range(_BATCH):
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            client.setblocking(False)
            with suppress(OSError):
                client.send(f"{head}Connection: close\r\n\r\n".encode() + body)
                client.shutdown(socket.SHUT_WR)
            # Its request may come only now: it would meet a closed connection, and not the answer.
            self._turned_away.add(client)
            asyncio.get_running_loop().call_later(_LINGER, self._part, client)

    def _part(self, client: socket.socket) -> None:
        if client in self._turned_away:
            self._turned_away.discard(client)
            with client, suppress(OSError):
                client.recv(HEAD_LIMIT)  # with unread bytes the close would be a reset

    def _accept(self) -> None:
        if self._new is None:
            self._pause()
            self._importing = spawn(self._import(), f"{self._name} import")
            return
        for _ in range(_BATCH):
            if len(self._open) >= self._limit and not self._evict():
                self._pause()  # until a connection has ended
                return
            try:
                client, _ = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._evict()
                    self._pause(_PAUSE)
                    return
                continue  # the connection ended in the backlog (accept(2))
            self._begin(client)
        if self._pace:
            self._pause(self._pace)

    def _begin(self, client: socket.socket) -> None:
        assert self._new is not None
        client.setblocking(False)
        connection = self._new()
        self._open[connection] = None
        spawn(self._connect(client, connection), f"{self._name} connection")

    async def _connect(self, client: socket.socket, connection: Connection) -> None:
        if not self._started:  # the door has stopped meanwhile
            client.close()
            self._ended(connection)
            return
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, client)
        except OSError:  # the client has gone already
            client.close()
            self._ended(connection)

    def _evict(self) -> bool:
        """End the oldest connection that waits for its client; return whether there was one."""
        for connection in self._open:
            if connection.transport is not None and connection.waits:
                del self._open[connection]
                connection.abort()
                return True
        return False

    def _ended(self, connection: Connection) -> None:
        self._open.pop(connection, None)
        self._emptied.set()
        if self._paused is None:
            self._resume()

    def _pause(self, seconds: float = 0.0) -> None:
        if self._accepting and self._loop is not None:
            self._accepting = False
            self._loop.remove_reader(self._socket.fileno())
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None
        if seconds and self._loop is not None:
            self._paused = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._paused = None
        if self._draining and self._is_shared:
            return
        if self._importing is not None or not self._started:
            return
        if not self._accepting and self._loop is not None:
            self._accepting = True
            self._loop.add_reader(self._socket.fileno(), self._accept)


class _Closing:
    """While the door drains, says with each answer that its connection ends (RFC 9112 section
    9.6), so that the client does not send a request that is never read.
    """

    def __init__(self, app: Any, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if self._door.draining and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, sending)


class _Seldom(logging.Filter):
    """Lets one line through a minute: a client that causes such lines could fill the log."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether `record` is logged."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _LOG_AGAIN
        return True
