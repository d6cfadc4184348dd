"""Routes whose rules nft refused: tried again after a pause that grows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

from ambassador.planes.kernel.route import KernelRoute

__all__ = ["Retries"]

_FIRST, _MOST = 0.5, 30.0  # seconds


class Retries:
    """Calls `again` with the routes that have failed, when their pause is over."""

    def __init__(self, again: Callable[[Collection[KernelRoute]], None]) -> None:
        self._again = again
        self._pause = _FIRST
        self._waiting: set[KernelRoute] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def failed(self, routes: Iterable[KernelRoute]) -> None:
        """Have `routes` tried again."""
        self._waiting.update(routes)
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._due)
            self._pause = min(2 * self._pause, _MOST)

    def succeeded(self) -> None:
        """Nft has taken rules (again): the next pause is short."""
        if self._timer is None:
            self._pause = _FIRST

    def close(self) -> None:
        """Try nothing any longer."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, set()
        self._again(waiting)
