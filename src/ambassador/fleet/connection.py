"""One HTTP/1.1 connection to a member of etcd: for requests, or for a stream of lines."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass

import h11

from ambassador.errors import SourceError

__all__ = ["AwayError", "Connection", "Url", "words"]

_PIECE = 64 << 10
_LARGEST = 64 << 20  # bytes of an answer, or of one line of a stream
# A peer that is gone without a FIN or RST is noticed after about 11 s (tcp(7)): otherwise a stream
# that only receives would never notice it.
_IDLE, _BETWEEN, _TIMES = 5, 2, 3
_UNSENT = 11_000  # milliseconds


class AwayError(SourceError):
    """A member cannot be asked now; another one, or the same one later, may answer."""

    def __init__(self, text: str, cause: BaseException | None = None) -> None:
        super().__init__(text)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Url:
    """The address of a member."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


class Connection:
    """A connection to one member. One request at a time."""

    def __init__(self, url: Url) -> None:
        self.url = url
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self, tls: ssl.SSLContext | None) -> None:
        """Connect. Raises AwayError."""
        url = self.url
        try:
            self._reader, self._writer = await asyncio.open_connection(
                url.host, url.port, ssl=tls, server_hostname=url.host if tls else None
            )
        except (OSError, ssl.SSLError) as error:
            raise AwayError(f"{url}: {words(error)}", error) from None
        sock = self._writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _BETWEEN)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _TIMES)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNSENT)

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        open_ = self._writer is not None and not self._writer.is_closing()
        return open_ and self._http.our_state is h11.IDLE and self._http.their_state is h11.IDLE

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            # abort: unsent bytes no longer matter, and TLS would wait for close_notify
            self._writer.transport.abort()
            self._writer = None

    async def ask(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return the status and the body of the answer to `body`. Raises AwayError."""
        status = await self._begin(path, body, headers)
        answer = bytearray()
        async for piece in self._pieces():
            answer += piece
            if len(answer) > _LARGEST:
                self.close()
                raise AwayError(f"{self.url}: its answer does not end")
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self.close()
        return status, bytes(answer)

    async def lines(
        self, path: str, body: bytes, headers: Mapping[str, str]
    ) -> AsyncGenerator[tuple[int, bytes], None]:
        """Yield each line of an answer as it arrives, with its status. Raises AwayError."""
        status = await self._begin(path, body, headers)
        rest = bytearray()
        async for piece in self._pieces():
            rest += piece
            *whole, last = rest.split(b"\n")
            for line in whole:
                if line:
                    yield status, bytes(line)
            rest = bytearray(last)
            if len(rest) > _LARGEST:
                raise AwayError(f"{self.url}: a line that does not end")
        if rest:
            yield status, bytes(rest)

    async def _begin(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        url = self.url
        if self._writer is None:
            raise AwayError(f"{url}: it hung up")
        host = f"[{url.host}]" if ":" in url.host else url.host
        fields = [
            ("Host", f"{host}:{url.port}"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            *headers.items(),
        ]
        data = self._http.send(h11.Request(method="POST", target=path, headers=fields))
        data = (data or b"") + (self._http.send(h11.Data(data=body)) or b"")
        data += self._http.send(h11.EndOfMessage()) or b""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except (OSError, ssl.SSLError) as error:
            self.close()
            raise AwayError(f"{url}: {words(error)}", error) from None
        event = await self._event()
        while isinstance(event, h11.InformationalResponse):
            event = await self._event()
        if not isinstance(event, h11.Response):
            self.close()
            raise AwayError(f"{url}: it closed the connection without an answer", EOFError())
        return event.status_code

    async def _pieces(self) -> AsyncIterator[bytes]:
        while True:
            event = await self._event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                self.close()
                raise AwayError(f"{self.url}: it hung up")

    async def _event(self) -> object:
        while True:
            try:
                event = self._http.next_event()
                if event is not h11.NEED_DATA:
                    return event
                if self._reader is None:
                    raise AwayError(f"{self.url}: it hung up")
                self._http.receive_data(await self._reader.read(_PIECE))
            except h11.RemoteProtocolError as error:
                self.close()
                what = "it hung up" if "peer unexpectedly closed" in str(error) else str(error)
                raise AwayError(f"{self.url}: {what}", error) from None
            except (OSError, ssl.SSLError) as error:
                self.close()
                raise AwayError(f"{self.url}: {words(error)}", error) from None


def words(error: BaseException) -> str:
    """Return what went wrong, for people; uvloop's errors have only the number."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).lower().replace("_", " ")
    if isinstance(error, socket.gaierror):
        return (error.strerror or str(error)).lower()
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
