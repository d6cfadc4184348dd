"""An engine that does what a real one cannot be made to do: it is cut, slow, old, or forbids."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

_ANSWERS = {200: "OK", 204: "No Content", 304: "Not Modified", 400: "Bad Request", 403: "Forbidden"}
Answer = Callable[[str, str], "tuple[int, Any] | Awaitable[tuple[int, Any] | None] | None"]


def entry(
    name: str, address: str = "", *, state: str = "running", id_: str = "", **more: Any
) -> dict[str, Any]:
    """Return a container as GET /containers/json lists it."""
    network = {"NetworkID": "n1", "IPAddress": address, "IPPrefixLen": 8 if address else 0}
    return {
        "Id": id_ or name.encode().hex().ljust(64, "0"),
        "Names": [f"/{name}"],
        "Image": "redis",
        "State": state,
        "Status": "Up",
        "Labels": {},
        "HostConfig": {"NetworkMode": "net"},
        "NetworkSettings": {"Networks": {"net": network if state == "running" else {}}},
        **more,
    }


class FakeEngine:
    """Serves on `path`. `containers` is what it lists; `asked` has every request it got. `answer`
    may say something else: a status and a body for a method and path, or None.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.containers: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.answer: Answer = lambda _method, _path: None
        self.maximum = "1.44"
        self.server = "Docker/20 (linux)"
        self.raw: bytes | None = None
        self._server: asyncio.Server | None = None
        self._remote: list[asyncio.Server] = []
        self._streams: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def serve_at_a_port(self, context: ssl.SSLContext) -> int:
        """Serve at a port of 127.0.0.1 too, over TLS; return the port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self._remote.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        assert self._server is not None
        for server in self._remote:
            server.close()
        self._server.close()
        self.cut()
        self.path.unlink(missing_ok=True)

    def cut(self) -> None:
        """End every stream of events."""
        for writer in self._streams:
            writer.close()
        self._streams.clear()

    @property
    def streams(self) -> int:
        return len(self._streams)

    def tell(self, action: str, id_: str, **more: Any) -> None:
        """Send an event of a container to all who listen."""
        event = {"Type": "container", "Action": action, "Actor": {"ID": id_}, **more}
        data = json.dumps(event).encode() + b"\n"
        for writer in self._streams:
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split("\r\n")[0].split(" ")
            found = re.fullmatch(r"/v([\d.]+)(/.*)", target)
            assert found
            path = found[2]
            self.asked.append((method, path))
            if self.raw is not None:
                writer.write(self.raw)
                return
            if tuple(map(int, found[1].split("."))) > tuple(map(int, self.maximum.split("."))):
                text = f"client version {found[1]} is too new. Maximum supported API version is "
                self._say(writer, 400, {"message": text + self.maximum})
                return
            said = self.answer(method, path)
            said = await said if isinstance(said, Awaitable) else said
            if said is not None:
                self._say(writer, *said)
            elif path.startswith("/events"):
                writer.write(f"HTTP/1.1 200 OK\r\nServer: {self.server}\r\n".encode())
                writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
                self._streams.add(writer)
                await reader.read()  # until it goes
                self._streams.discard(writer)
            elif path.startswith("/containers/json"):
                self._say(writer, 200, self.containers)
            else:
                self._say(writer, 204, None)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @staticmethod
    def _say(writer: asyncio.StreamWriter, status: int, body: Any) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        data = b"" if status in (204, 304) else data
        head = (
            f"HTTP/1.1 {status} {_ANSWERS.get(status, 'X')}\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        writer.write(head.encode() + data)
