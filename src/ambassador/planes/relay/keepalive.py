"""Keepalive for upstreams that live longer than a moment: where there are many, most do not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from ambassador.planes.relay.options import keep_alive
from ambassador.planes.relay.side import Side

__all__ = ["Keepalives"]

_AFTER = 0.5  # seconds; well below the shortest keepalive, which is one second
_PIECE = 200  # sides in one turn of the event loop: 1 ms


class Keepalives:
    """Gives each new upstream its keepalive when it is half a second to a second old. The four
    calls are 4 % of the work for a connection that carries one request.
    """

    def __init__(self) -> None:
        self.lasting: Callable[[Sequence[Side]], None] = lambda _: None  # called with these sides
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Side, float]] = []
        self._next: list[tuple[Side, float]] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, side: Side, keepalive: float) -> None:
        """Give `side` its keepalive in a while; `keepalive` in seconds, 0: none."""
        self._next.append((side, keepalive))
        if self._timer is None:
            self._timer = self._loop.call_later(_AFTER, self._look)

    def close(self) -> None:
        """Give no keepalive any longer."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        self._next.clear()

    def _look(self) -> None:
        piece, self._waiting = self._waiting[:_PIECE], self._waiting[_PIECE:]
        for side, keepalive in piece:
            if not side.closed:
                with contextlib.suppress(OSError):  # it is reset, or handed to a worker
                    keep_alive(side.sock, keepalive)
        self.lasting([side for side, _ in piece if not side.closed])
        if self._waiting:
            self._timer = self._loop.call_later(0, self._look)
            return
        self._waiting, self._next = self._next, []
        self._timer = self._loop.call_later(_AFTER, self._look) if self._waiting else None
