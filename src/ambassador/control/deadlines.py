"""Sessions the operator wants ended: at once, at a rate, or at the deadline of a drain.

Works on any plane by the ids of sessions, and looks again before each piece: what has ended by
itself, or is wanted again, is passed over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

from ambassador import log
from ambassador.core.departure import grace
from ambassador.errors import PlaneError
from ambassador.model import Address, Existing, Reason, RouteKey
from ambassador.pacing import pace
from ambassador.ports import SessionStatus
from ambassador.tasks import spawn

__all__ = ["Deadlines", "of_endpoint"]

_TICK = 0.1  # seconds between two looks at what is due; each may list all sessions

List = Callable[[], Awaitable[Sequence[SessionStatus]]]
Cut = Callable[[Collection[str], Reason], Awaitable[int]]
Place = tuple[RouteKey, Address]


class Deadlines:
    """What is being ended; `sessions` lists all, `cut` ends those of these ids."""

    def __init__(self, sessions: List, cut: Cut) -> None:
        self._sessions = sessions
        self._cut = cut
        self._deadlines: dict[Place, asyncio.Task[None]] = {}
        self._rates: set[asyncio.Task[None]] = set()

    async def cut(self, ids: Sequence[str], existing: Existing, reason: Reason) -> None:
        """End the sessions of these `ids` by `existing`: at once, or begin to at its rate."""
        if not existing.rate:
            await self._cut(set(ids), reason)
            return
        task = spawn(self._pace(ids, existing, reason), "cut at a rate")
        self._rates.add(task)
        task.add_done_callback(self._rates.discard)

    def drain(self, place: Place, existing: Existing) -> None:
        """End what `place` still has at the end of a drain, spread over its last part."""
        self.spare([place])
        task = self._deadlines[place] = spawn(self._drain(place, existing), "deadline of a drain")
        task.add_done_callback(lambda done: self._forget(place, done))

    def spare(self, places: Collection[Place]) -> None:
        """Forget the deadlines of `places`."""
        for place in places:
            if task := self._deadlines.pop(place, None):
                task.cancel()

    def keep_only(self, places: Iterable[Place]) -> None:
        """Forget the deadlines of all but `places`."""
        if self._deadlines:
            self.spare(self._deadlines.keys() - set(places))

    def close(self) -> None:
        """End nothing any longer."""
        self.keep_only(())
        for task in self._rates:
            task.cancel()

    async def _drain(self, place: Place, existing: Existing) -> None:
        await asyncio.sleep(grace(existing) or 0)
        ids = [one.id for one in await self._sessions() if of_endpoint(one, place)]
        await self._pace(ids, existing, Reason.DRAINED)

    async def _pace(self, ids: Sequence[str], existing: Existing, reason: Reason) -> None:
        try:
            await pace(ids, existing, lambda piece: self._cut(set(piece), reason), tick=_TICK)
        except PlaneError as error:
            log.event(log.ERROR, "not_cut", f"sessions stay open: {error}", error=str(error))

    def _forget(self, place: Place, task: asyncio.Task[None]) -> None:
        if self._deadlines.get(place) is task:
            del self._deadlines[place]


def of_endpoint(session: SessionStatus, place: Place) -> bool:
    """Return whether `session` leads to the endpoint at `place`."""
    key, address = place
    endpoint = session.endpoint
    return endpoint is not None and endpoint.address == address and session.route.key == key
