"""A probe's connection to an endpoint with TLS: as that of a session, but with asyncio."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from ambassador.errors import AmbassadorError, in_a_line
from ambassador.model import Endpoint
from ambassador.tls.keyring import Keyring

if TYPE_CHECKING:
    from ambassador.tls.opening import Opening
    from ambassador.tls.stream import TlsSocket

__all__ = ["Secret"]


class Secret:
    """TLS to `endpoint` over `sock`, which is connected to the IP literal `address`."""

    def __init__(
        self, keyring: Keyring, sock: socket.socket, endpoint: Endpoint, address: str
    ) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            self._opening: Opening = keyring.open(sock, endpoint, address)
        except AmbassadorError as error:
            raise ConnectionAbortedError(0, in_a_line(error)) from error
        self._sock: TlsSocket | None = None

    async def open(self) -> None:
        """Return when bytes may be sent. Raises OSError."""
        while (found := self._opening.go_on()) is None:
            await self._readable(self._opening.sock)
        self._sock = found

    async def send(self, data: bytes) -> None:
        """Send `data`, which is short. Raises OSError."""
        assert self._sock is not None
        self._sock.send(data)

    async def receive(self, most: int) -> bytes:
        """Return the next bytes; empty at the end. Raises OSError."""
        assert self._sock is not None
        while True:
            try:
                return self._sock.recv(most)
            except BlockingIOError:
                await self._readable(self._sock)

    def close(self) -> None:
        """Close the connection."""
        self._opening.sock.close()

    async def _readable(self, sock: socket.SocketType) -> None:
        heard = self._loop.create_future()
        self._loop.add_reader(sock.fileno(), _note, heard)
        try:
            await heard
        finally:
            self._loop.remove_reader(sock.fileno())


def _note(heard: asyncio.Future[None]) -> None:
    if not heard.done():
        heard.set_result(None)
