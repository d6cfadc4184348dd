"""Changes that could not be stored on disk are tried again until they are."""

from __future__ import annotations

import asyncio

from ambassador.control.apply import Applier
from ambassador.tasks import spawn

__all__ = ["Owed"]

_REPAY = 5.0  # seconds between two attempts to store


class Owed:
    """Has `applier` try again to store changes while some are not stored; `lock` is for one
    change.
    """

    def __init__(self, applier: Applier, lock: asyncio.Lock) -> None:
        self._applier = applier
        self._lock = lock
        self._repaying: asyncio.Task[None] | None = None

    def see(self) -> None:
        """Begin to try, where something is not stored."""
        if self._applier.unkept and (self._repaying is None or self._repaying.done()):
            self._repaying = spawn(self._repay(), "keep what is owed")

    def end(self) -> None:
        """Stop trying."""
        if self._repaying is not None:
            self._repaying.cancel()

    async def _repay(self) -> None:
        while self._applier.unkept:
            await asyncio.sleep(_REPAY)
            async with self._lock:
                await self._applier.repay()
