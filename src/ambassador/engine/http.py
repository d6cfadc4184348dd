"""HTTP/1.1 (RFC 9112) with an engine, over a unix socket or TCP: one connection for each request.

With asyncio alone: h11 takes 9 ms and 1 MB more at import, docker 65 ms and 10 MB.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import re
import stat
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from ambassador.engine.place import Where
from ambassador.errors import EngineError
from ambassador.spec import printable

if TYPE_CHECKING:
    import ssl

__all__ = ["Answer", "EngineHttp"]

LIMIT = 20.0  # seconds for an answer
_CONNECT = 5.0
_HEAD = 64 << 10
_LONGEST = 64 << 20  # bytes of an answer; a thousand containers are 3 MB
_SHOWN = 160
_WANTS_TLS = "does it want TLS? DOCKER_CERT_PATH=/certs names the folder of its files"
_STATUS = rb"HTTP/1\.[01] (\d{3})(?: |\r|$)"
_VERSION = r"(Maximum|Minimum) supported API version is (\d+\.\d+)"
_FIRST = "1.44"  # requested first; 20.10 answers with its maximum, 29 with its minimum
_OLDEST = (1, 24)  # our requests are the same from this version on


class Answer:
    """The head of an answer, and a body to read."""

    def __init__(
        self, status: int, head: dict[str, str], reader: asyncio.StreamReader, close: Any
    ) -> None:
        self.status = status
        self._head = head
        self._reader = reader
        self.close = close

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives. Raises IncompleteReadError and ValueError where it is cut
        or malformed.
        """
        if "chunked" in self._head.get("transfer-encoding", "").lower():
            while size := _size(await self._reader.readline()):
                while size:
                    piece = await self._reader.read(min(size, _HEAD))
                    if not piece:
                        raise asyncio.IncompleteReadError(b"", size)
                    size -= len(piece)
                    yield piece
                await self._reader.readexactly(2)
        elif length := self._head.get("content-length"):
            yield await self._reader.readexactly(int(length)) if int(length) <= _LONGEST else b""
        else:
            while piece := await self._reader.read(_HEAD):
                yield piece

    async def body(self) -> bytes:
        """Return all of it."""
        found = b""
        if self.status in (204, 304):
            return found
        async for piece in self.pieces():
            found += piece
            if len(found) > _LONGEST:
                raise ValueError("it is endless")
        return found


class EngineHttp:
    """Sends requests to the engine at `where`; `version` is that of the API, once it is known."""

    def __init__(self, where: Where) -> None:
        self.where = where
        self.version = _FIRST
        self.server = ""  # the engine's name: "Docker/20.10.24 (linux)", "Libpod/4.3.1 (linux)"
        self._tls: ssl.SSLContext | None = None

    async def get(self, path: str, limit: float = LIMIT) -> Any:
        """Return what is at `path`, as JSON. Raises EngineError that says why this failed."""
        status, body = await self.ask("GET", path, limit)
        if status != 200:
            raise EngineError(self.refusal(path, status, body), path if status == 403 else "")
        try:
            return json.loads(body)
        except ValueError:
            shown = printable(body[:_SHOWN].decode(errors="replace"))
            raise EngineError(f"{self.where}: answers no JSON to GET {path}: {shown}") from None

    async def ask(self, method: str, path: str, limit: float = LIMIT) -> tuple[int, bytes]:
        """Return the status and the body of an answer. Raises EngineError."""
        for _ in range(2):
            try:
                async with asyncio.timeout(limit):
                    answer = await self.open(method, path)
                    try:
                        body = await answer.body()
                    finally:
                        answer.close()
            except TimeoutError:
                raise EngineError(
                    f"{self.where}: no answer to {method} {path} in {limit:g} s"
                ) from None
            except OSError as error:  # before ValueError: a wrong certificate is both
                raise EngineError(self.unreachable(error)) from None
            except asyncio.IncompleteReadError as error:
                raise EngineError(f"{self.where}: {self.cut(error, path)}") from None
            except (asyncio.LimitOverrunError, ValueError) as error:
                raise EngineError(f"{self.where}: its answer to {path} is cut ({error})") from None
            if answer.status != 400 or not self.learn(body):
                break
        return answer.status, body

    def learn(self, body: bytes) -> bool:
        """Take over the version of the API that a refusal names; tell whether it is a new one.
        Raises EngineError where no version fits.
        """
        text = body.decode(errors="replace")
        found = re.search(_VERSION, text, re.IGNORECASE)
        if found is None:
            return False
        version = found[2]
        if tuple(map(int, version.split("."))) < _OLDEST:
            oldest = ".".join(map(str, _OLDEST))
            raise EngineError(f"{self.where}: its API {version} is too old, {oldest} is needed")
        if version == self.version:
            raise EngineError(
                f"{self.where}: takes no version of its API: {printable(text[:_SHOWN])}"
            )
        self.version = version
        return True

    async def open(self, method: str, path: str) -> Answer:
        """Send a request, and return the head of the answer. Raises OSError, IncompleteReadError,
        ValueError, EngineError.
        """
        reader, writer = await self._connect()
        try:
            lines = (
                f"{method} /v{self.version}{path} HTTP/1.1",
                f"Host: {self.where.host or 'engine'}",
                "Accept: application/json",
                "User-Agent: ambassador",
                *(["Content-Length: 0"] if method == "POST" else []),
                *("", ""),
            )
            writer.write("\r\n".join(lines).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            found = re.match(_STATUS, head)
            if found is None:
                raise EngineError(f"{self.where}: speaks no HTTP: {head[:40]!r}")
            fields = {
                key.strip().lower(): value.strip()
                for line in head.decode("latin-1").split("\r\n")[1:]
                for key, colon, value in [line.partition(":")]
                if colon
            }
            self.server = fields.get("server", self.server)
            return Answer(int(found[1]), fields, reader, writer.close)
        except BaseException:
            writer.close()
            raise

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        where = self.where
        try:
            async with asyncio.timeout(_CONNECT):
                if where.path:
                    return await asyncio.open_unix_connection(where.path, limit=_HEAD)
                return await asyncio.open_connection(
                    where.host, where.port, limit=_HEAD, ssl=self._context()
                )
        except TimeoutError:
            raise EngineError(f"{where}: does not answer") from None

    def _context(self) -> ssl.SSLContext | None:
        folder = self.where.certificates
        if not folder:
            return None
        if self._tls is None:
            import ssl  # noqa: PLC0415 (8 ms; only with TLS)

            from ambassador.tls.trust import trusting  # noqa: PLC0415 (the same)

            try:
                context = trusting(f"{folder}/ca.pem")
                if os.path.exists(f"{folder}/cert.pem"):  # noqa: PTH110
                    context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
            except (OSError, ssl.SSLError) as error:
                raise EngineError(
                    f"{self.where}: {folder} needs ca.pem, cert.pem and key.pem: {error}"
                ) from None
            self._tls = context
        return self._tls

    def unreachable(self, error: OSError) -> str:
        """Return why the engine cannot be reached, and what helps."""
        where, path = self.where, self.where.path
        words = (error.strerror or str(error) or type(error).__name__).lower()
        if isinstance(error.errno, int) and error.errno > 0 and not _is_tls(error):
            words = os.strerror(error.errno).lower()
        if not path:
            words = _remote(error, words, where.certificates)
        elif error.errno == errno.ENOENT:
            words = (
                "there is no such socket; docker run -v /var/run:/var/run brings its folder along, "
                "or AMBASSADOR_DOCKER says where it is"
            )
        elif error.errno in (errno.EACCES, errno.EPERM):
            words = f"no right to it{_group(path)}"
        elif error.errno == errno.ECONNREFUSED:
            words = (
                "nobody listens there; the engine is down, or it has come back while the socket "
                "itself was mounted and not its folder"
            )
        return f"{where}: {words}"

    def cut(self, error: asyncio.IncompleteReadError, path: str) -> str:
        """Return why an answer to `path` ended too soon."""
        if error.partial or self.where.path:
            return f"its answer to {path} is cut ({error})"
        files = self.where.certificates
        hint = f"does it know the certificate in DOCKER_CERT_PATH={files}?" if files else _WANTS_TLS
        return f"closes the connection without an answer; {hint}"

    def refusal(self, path: str, status: int, body: bytes) -> str:
        """Return the error that the engine, or a proxy before it, has answered."""
        text = body[: 4 * _SHOWN].decode(errors="replace").strip()
        with contextlib.suppress(ValueError, AttributeError):
            text = str(json.loads(body).get("message") or text)
        text = printable(text[:_SHOWN])
        if status == 403:
            asked = path.partition("?")[0]
            return f"{self.where}: forbids GET {asked}: {text}; a proxy has to allow it"
        if status == 400 and "client sent an HTTP request to an HTTPS server" in text.replace(
            "Client", "client"
        ):
            return f"{self.where}: wants TLS; DOCKER_CERT_PATH=/certs names the folder of its files"
        return f"{self.where}: answers {status} to GET {path.partition('?')[0]}: {text}"


def _size(line: bytes) -> int:
    """Return the size of a chunk. Raises ValueError, IncompleteReadError at the end of the
    connection.
    """
    if not line:
        raise asyncio.IncompleteReadError(b"", None)
    return int(line.split(b";")[0].strip() or b"x", 16)


def _is_tls(error: OSError) -> bool:
    """Tell whether `error` is of TLS; its number is then one of OpenSSL."""
    return "ssl" in type(error).__name__.lower() or "certificate" in str(error).lower()


def _remote(error: OSError, words: str, certificates: str) -> str:
    """Return why an engine at a TCP port cannot be reached."""
    if _is_tls(error):
        return f"TLS fails: {error}; the files are those of DOCKER_CERT_PATH={certificates}"
    if error.errno in (errno.ECONNRESET, errno.EPIPE) and not certificates:
        return f"{words}; {_WANTS_TLS}"
    return words


def _group(path: str) -> str:
    """Return how to get access to the socket at `path`."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return ""
    if not found.st_mode & stat.S_IWGRP:  # usually that of a rootless Podman
        return f": only its user {found.st_uid} has it; run as that one (docker run --user 0)"
    group = found.st_gid
    return f": it belongs to the group {group}; docker run --group-add {group} gives it"
