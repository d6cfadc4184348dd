"""The side of the one that has left, while its last sessions go on: answer the successor."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ambassador.errors import AmbassadorError, RunError
from ambassador.handover.counters import Accounts, Legacy
from ambassador.handover.protocol import receive, send_text, text_of
from ambassador.handover.sessions import encode_sessions
from ambassador.model import Reason
from ambassador.ports import Plane

__all__ = ["Stayer"]


class Stayer:
    """Answers on `sock` what the successor asks of `plane`; `accounts` has what was counted."""

    def __init__(self, sock: socket.socket, plane: Plane, accounts: Callable[[], Accounts]) -> None:
        self._sock = sock
        self._plane = plane
        self._accounts = accounts

    async def run(self) -> None:
        """Answer until the successor asks no longer: it has ended, or was ended."""
        with suppress(OSError, RunError):
            while (found := await receive(self._sock))[0]:
                await self._answer(*found)

    async def farewell(self) -> None:
        """Say what was counted, for the last time."""
        with suppress(OSError):
            await send_text(self._sock, "farewell", Legacy(live=self._accounts()).encode())
        self._sock.close()

    async def _answer(self, message: dict[str, Any], descriptors: list[int]) -> None:
        given = text_of(descriptors[:1])
        for descriptor in descriptors[1:]:
            os.close(descriptor)
        match message["say"]:
            case "numbers":
                text = Legacy(live=self._accounts()).encode()
            case "sessions":
                text = encode_sessions(await self._plane.sessions())
            case "cut":
                text = await self._cut(given, str(message.get("reason")))
            case _:
                text = b""  # of a later version: nothing is known of that
        await send_text(self._sock, "answer", text, n=message.get("n"))

    async def _cut(self, given: bytes, reason: str) -> bytes:
        try:
            ids = set(map(str, json.loads(given)))
            count = await self._plane.cut(ids, Reason(reason))
        except (AmbassadorError, TypeError, ValueError):
            count = 0
        return str(count).encode()
