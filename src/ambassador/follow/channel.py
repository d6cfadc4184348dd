"""One kept connection to a member or an authority: bytes out, bytes in, and a call when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from ambassador.tls.trust import trusting

__all__ = ["Channel", "Credentials", "Denied", "Silence", "context", "words"]

_MOST = 1 << 20  # bytes that are received and not parsed yet
_T = TypeVar("_T")


class Silence(Exception):  # noqa: N818 - it is the finding
    """There was no answer: the text says why. `refused`: no process listens there, or it has closed
    the connection.
    """

    def __init__(self, text: str, *, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused


class Denied(Silence):
    """The member answers, but refuses our login or our right to ask."""


class Credentials:
    """A user and the file with the password, which is read each time, because it may be changed."""

    def __init__(self, user: str, password_file: str) -> None:
        self.user = user
        self._file = password_file

    @property
    def given(self) -> bool:
        """Whether there is a user or a password to log in with."""
        return bool(self.user or self._file)

    def password(self) -> str:
        """Return the password; empty without a file. Raises Silence."""
        if not self._file:
            return ""
        try:
            return Path(self._file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeError) as error:
            text = f"the password cannot be read from {self._file}: {words(error)}"
            raise Denied(text) from None


def context(tls: str) -> ssl.SSLContext | None:
    """Return the TLS context that `tls` means: `yes` trusts the authorities of this host, a path
    those of that file, for any name. Raises Silence.
    """
    if not tls:
        return None
    try:
        if tls == "yes":
            return trusting()
        found = trusting(tls)
    except (OSError, ssl.SSLError) as error:
        raise Silence(f"{tls} cannot be used as authorities of TLS: {words(error)}") from None
    found.check_hostname = False  # members are found by address; trust comes from the file
    return found


def words(error: BaseException) -> str:
    """Return what went wrong, for people; uvloop's errors have only the number."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "it does not speak TLS" if "WRONG_VERSION" in str(error) else str(error.reason)
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__


class Channel(asyncio.Protocol):
    """A connection; `ended` is called when the other side closes it, `more` when bytes arrive."""

    def __init__(self, ended: Callable[[], None], more: Callable[[], None] | None = None) -> None:
        self.data = bytearray()
        self.closed = False
        self._ended = ended
        self._more = more
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._why = "it hung up"
        self._heard = False  # whether any bytes have arrived
        self._tls = False

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None, name: str = "") -> None:
        """Connect to an IP literal; `name` is the host name for TLS. Raises Silence."""
        loop = asyncio.get_running_loop()
        self._tls = tls is not None
        try:
            await loop.create_connection(
                lambda: self, host, port, ssl=tls, server_hostname=(name or host) if tls else None
            )
        except (OSError, ssl.SSLError) as error:
            refused = isinstance(error, ConnectionRefusedError | ConnectionResetError)
            raise Silence(words(error), refused=refused) from None

    async def start_tls(self, tls: ssl.SSLContext, name: str) -> None:
        """Start TLS. Raises Silence and TimeoutError."""
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        try:
            found = await loop.start_tls(self._transport, self, tls, server_hostname=name)
        except (OSError, ssl.SSLError) as error:
            raise Silence(words(error)) from None
        if found is None:
            raise Silence("it hung up")
        self._transport = found

    def send(self, data: bytes) -> None:
        """Send `data`. Raises Silence where the other side has closed the connection."""
        if self.closed or self._transport is None:
            raise Silence(self._why, refused=True)
        self._transport.write(data)

    async def until(self, read: Callable[[bytes], _T | None]) -> _T:
        """Return the result of `read`, which gets all received bytes, as soon as it is not None.
        Raises Silence.
        """
        while (found := read(bytes(self.data))) is None:
            if self.closed:
                wordless = not (self._heard or self._tls)
                hint = "; where it speaks TLS: health_tls" if wordless else ""
                raise Silence(f"{self._why}{hint}", refused=True)
            if len(self.data) > _MOST:
                raise Silence("what it says does not end")
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return found

    def late(self, limit: float) -> str:
        """Return the text for an answer that is missing after `limit` seconds."""
        shaking = self._tls and self._transport is None
        hint = " to a TLS handshake; where it speaks no TLS: health_tls=no" if shaking else ""
        return f"no answer within {limit:g} s{hint}"

    def close(self) -> None:
        """Close the connection; `ended` is not called."""
        self._ended = _nothing
        self._more = None
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)  # not so for uvloop's

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self.data += data
        self._heard = True
        self._wake()
        if self._more is not None:
            self._more()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if exc is not None:
            with contextlib.suppress(Exception):
                self._why = words(exc)
        self.closed = True
        self._wake()
        self._ended()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _nothing() -> None:
    pass
