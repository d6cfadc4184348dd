"""Timers for a process that has no event loop."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable

__all__ = ["Timers"]


class Timers:
    """Makes calls, each once, in the order of their times; `failed` is called with exceptions."""

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()  # gives two calls at the same time their order

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """Have `call` called by the first `run` in `seconds` or later."""
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._count), call))

    def wait(self) -> float:
        """Return the seconds until something is due; -1 where nothing is, as poll(2) has it."""
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else -1.0

    def run(self) -> None:
        """Call what is due."""
        while self._due and self._due[0][0] <= time.monotonic():
            try:
                heapq.heappop(self._due)[2]()
            except Exception as error:
                self._failed(error)
