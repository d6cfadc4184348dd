"""One timer for thousands of things that are due at times of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

__all__ = ["Turns"]

# Seconds: what is due within so many is seen to at one moment. To wake up costs as much as a
# question does: of 1,000 that are asked each 2 s ten share a moment.
_TOGETHER = 0.02


class Turns:
    """On the running loop. What is no longer to be called is called, and sees that itself."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()  # so that turns of one time need not be compared
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0

    def add(self, when: float, due: Callable[[], None]) -> None:
        """Call `due` at `when`, by the loop's clock, or up to 20 ms later."""
        heappush(self._waiting, (when, next(self._number), due))
        if self._timer is None or when + _TOGETHER < self._at:
            self._set()

    def close(self) -> None:
        """Nothing is called any longer."""
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
