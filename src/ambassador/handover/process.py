"""One process that had the routes before and whose sessions go on, as its successor asks it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Collection
from itertools import count
from uuid import uuid4

from ambassador.errors import RunError
from ambassador.handover.counters import Counters, HandedCounters
from ambassador.handover.protocol import receive, send, send_text, text_of
from ambassador.handover.sessions import decode_sessions
from ambassador.model import Reason, Route, RouteKey
from ambassador.ports import SessionStatus
from ambassador.sockets.unix import peer
from ambassador.tasks import spawn

__all__ = ["EarlierProcess"]

_PATIENCE = 2.0  # seconds for one answer; after that the last numbers stay


class EarlierProcess:
    """Talks to the process on `sock`, from `start` until that process ends; then `ended` is called.
    `counters` are the last known ones.
    """

    def __init__(
        self,
        sock: socket.socket,
        counters: Counters,
        ended: Callable[[EarlierProcess], Awaitable[None]],
    ) -> None:
        self.sock = sock
        self.pid = peer(sock)[0]
        self.counters = counters
        self._ended = ended
        # Unique: the answer to a question of our predecessor may still arrive.
        self._numbers = (f"{uuid4().hex}.{number}" for number in count(1))
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Receive what the process sends."""
        self.sock.setblocking(False)
        self._task = spawn(self._listen(), f"sessions of process {self.pid}")

    async def stop(self) -> None:
        """Stop receiving; the connection stays open for another process."""
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.wait({task})  # until the loop does not use the socket any more
        self._forget()

    @property
    def open(self) -> int:
        """How many sessions it had at the last answer."""
        return int(sum(one.get("open", 0) for one in self.counters.values()))

    async def measure(self) -> None:
        """Ask for its numbers; without an answer the last ones stay. Raises RunError."""
        if text := await self._ask("numbers"):
            self.counters = await asyncio.to_thread(_numbers, text)

    async def sessions(self, route_of: Callable[[RouteKey], Route | None]) -> list[SessionStatus]:
        """Ask for its open sessions; without an answer there are none. Raises RunError."""
        text = await self._ask("sessions")
        return decode_sessions(text, self.pid, route_of) if text else []

    async def cut(self, ids: Collection[str], reason: Reason) -> int:
        """Have it end sessions by its own `ids`; return how many it has ended."""
        text = await self._ask("cut", json.dumps(list(ids)).encode(), reason=reason.value)
        return int(text) if text.isdigit() else 0

    async def _ask(self, say: str, text: bytes | None = None, reason: str = "") -> bytes:
        number = next(self._numbers)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            async with asyncio.timeout(_PATIENCE):
                if text is None:
                    await send(self.sock, say, n=number)
                else:
                    await send_text(self.sock, say, text, n=number, reason=reason)
                return await future
        except (OSError, TimeoutError):
            return b""
        finally:
            self._waiting.pop(number, None)

    async def _listen(self) -> None:
        try:
            while True:
                message, descriptors = await receive(self.sock)
                for descriptor in descriptors[1:]:
                    os.close(descriptor)
                text = text_of(descriptors[:1])
                if not message:
                    break
                if message["say"] == "farewell":
                    self.counters = await asyncio.to_thread(_numbers, text)
                    break
                future = self._waiting.get(str(message.get("n")))
                if future is not None and not future.done():
                    future.set_result(text)
        except (OSError, RunError):
            pass  # as if it had ended: its messages make no sense
        self._task = None
        self.sock.close()
        self._forget()
        await self._ended(self)

    def _forget(self) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_result(b"")


def _numbers(text: bytes) -> Counters:
    """Return the counters in `text`; for thousands of routes this takes 0.2 s."""
    return HandedCounters.decode(text, kernel=True).live
