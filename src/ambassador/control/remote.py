"""Sources that report changes by themselves: a fleet in etcd."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ambassador.control.reloads import Reloads
from ambassador.core.phase import Phase
from ambassador.errors import PlaneError, RunError
from ambassador.model import Existing

__all__ = ["Remote"]


class Remote:
    """The changes that such sources make; `lock` and `phase` are those of the reconciler."""

    def __init__(self, reloads: Reloads, lock: asyncio.Lock, phase: Callable[[], Phase]) -> None:
        self._reloads = reloads
        self._lock = lock
        self._phase = phase

    async def renew(self, name: str) -> None:
        """Read the source called `name` again, and no other: what it says is in force on return.
        Raises any error, after logging it; then what it said before stays.
        """
        async with self._lock:
            if self._phase() is not Phase.READY:
                raise RunError(f"the ambassador is {self._phase()}")
            await self._reloads.renew(name)

    async def place(
        self, service: str, who: str, what: str, existing: Existing | None = None
    ) -> None:
        """Lead the routes of `service` to where it is placed now: in force on return. It does not
        wait for commands. Raises PlaneError where the planes cannot, or not yet.
        """
        if self._phase() is not Phase.READY:
            raise PlaneError(f"the ambassador is {self._phase()}")
        await self._reloads.applier.place(service, who, what, existing)

    def stale(self, name: str, why: str, since: float, read: float) -> None:
        """Note what is wrong with the data of the source called `name`, since when, and when it was
        `read` last (both in seconds since 1970); with empty `why` nothing is wrong any more.
        """
        self._reloads.snapshots.stale(name, why, since, read)
