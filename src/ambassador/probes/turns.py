"""One timer for thousands of callbacks, each at its own time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

__all__ = ["Turns"]

# Seconds: callbacks that are due within this time are called together. A wake-up costs as much as a
# question: with 1,000 questions every 2 s, ten share a wake-up.
_TOGETHER = 0.02


class Turns:
    """Works on the running loop. A callback that is no longer needed is still called, and has to
    check that itself.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()  # so that callbacks of one time need not be compared
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0

    def add(self, when: float, due: Callable[[], None]) -> None:
        """Call `due` at `when`, by the loop's clock, or up to 20 ms later."""
        heappush(self._waiting, (when, next(self._number), due))
        if self._timer is None or when + _TOGETHER < self._at:
            self._set()

    def close(self) -> None:
        """Call nothing any more."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._at = self._waiting[0][0] + _TOGETHER
            self._timer = self._loop.call_at(self._at, self._call)

    def _call(self) -> None:
        self._timer, now = None, self._loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            heappop(self._waiting)[2]()
        if self._timer is None:
            self._set()
