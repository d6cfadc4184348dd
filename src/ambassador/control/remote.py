"""Sources that say by themselves that something has changed: a fleet in etcd."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ambassador.control.reloads import Reloads
from ambassador.core.phase import Phase
from ambassador.errors import PlaneError, RunError
from ambassador.model import Existing

__all__ = ["Remote"]


class Remote:
    """What they bring about; `phase` is that of the reconciler, whose `lock` it is."""

    def __init__(self, reloads: Reloads, lock: asyncio.Lock, phase: Callable[[], Phase]) -> None:
        self._reloads = reloads
        self._lock = lock
        self._phase = phase

    async def renew(self, name: str) -> None:
        """Read the source called `name` anew, and no other: what it says is in force on return.
        Raises what was wrong, after it was said; then what it said before stands.
        """
        async with self._lock:
            if self._phase() is not Phase.READY:
                raise RunError(f"the ambassador is {self._phase()}")
            await self._reloads.renew(name)

    async def place(
        self, service: str, who: str, what: str, existing: Existing | None = None
    ) -> None:
        """Lead the routes of `service` to where it is placed now: in force on return. No command
        keeps it waiting. Raises PlaneError where the planes cannot, or not yet.
        """
        if self._phase() is not Phase.READY:
            raise PlaneError(f"the ambassador is {self._phase()}")
        await self._reloads.applier.place(service, who, what, existing)

    def stale(self, name: str, why: str, since: float, read: float) -> None:
        """Take note of what is wrong with what a source called `name` goes by, since when (both in
        seconds since 1970, as when it was `read` last); with empty `why` nothing is, any longer.
        """
        self._reloads.snapshots.stale(name, why, since, read)
