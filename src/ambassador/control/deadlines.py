"""Sessions the operator wants ended: at once, at a rate, or at the deadline of a drain.

Works on any plane by the ids of sessions, and looks again before each piece: what has ended by
itself, or is wanted again, is passed over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial

from ambassador import log
from ambassador.core.departure import grace
from ambassador.errors import PlaneError
from ambassador.model import Address, Existing, Reason, RouteKey
from ambassador.pacing import pace
from ambassador.ports import SessionStatus
from ambassador.spec import format_address
from ambassador.tasks import spawn

__all__ = ["Deadlines", "of_endpoint"]

_TICK = 0.1  # seconds between two looks at what is due; each may list all sessions

List = Callable[[], Awaitable[Sequence[SessionStatus]]]
Cut = Callable[[Collection[str], Reason], Awaitable[int]]
Place = tuple[RouteKey, Address]


class Deadlines:
    """The sessions that are being ended; `sessions` lists all, `cut` ends the sessions of these
    ids.
    """

    def __init__(self, sessions: List, cut: Cut) -> None:
        self._sessions = sessions
        self._cut = cut
        self._deadlines: dict[Place, asyncio.Task[None]] = {}
        self._rates: dict[asyncio.Task[None], frozenset[str]] = {}

    def leaving(self, session: SessionStatus) -> bool:
        """Return whether `session` will be ended: by a cut that is under way, or at the deadline
        of the drain of its endpoint.
        """
        if any(session.id in ids for ids in self._rates.values()):
            return True
        endpoint = session.endpoint
        return endpoint is not None and (session.route.key, endpoint.address) in self._deadlines

    async def cut(self, ids: Sequence[str], existing: Existing, reason: Reason) -> int:
        """End the sessions of these `ids` by `existing`: at once, or begin to at its rate. Return
        how many have been ended.
        """
        if not existing.rate:
            return await self._cut(set(ids), reason)
        task = spawn(self._cut_slowly(ids, existing, reason), "cut at a rate")
        self._rates[task] = frozenset(ids)
        task.add_done_callback(lambda done: self._rates.pop(done, None))
        return 0

    def drain(self, place: Place, existing: Existing, name: str) -> None:
        """End what `place`, of the route called `name`, still has at the end of a drain, spread
        over its last part.
        """
        self.spare([place])
        draining = self._drain(place, existing, name)
        task = self._deadlines[place] = spawn(draining, "deadline of a drain")
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
        for task in tuple(self._rates):
            task.cancel()

    async def _drain(self, place: Place, existing: Existing, name: str) -> None:
        await asyncio.sleep(grace(existing) or 0)
        found = [one for one in await self._sessions() if of_endpoint(one, place)]
        ended = await self._pace([one.id for one in found], existing, Reason.DRAINED)
        if ended is not None:
            where = format_address(place[1])
            text = f"{where} of {name} is drained: {_sessions(ended)} cut at the deadline"
            log.event(log.INFO, "drained", text, route=name, endpoint=where, sessions=ended)

    async def _cut_slowly(self, ids: Sequence[str], existing: Existing, reason: Reason) -> None:
        ended = await self._pace(ids, existing, reason)
        if ended is not None:
            text = f"the cut at {existing.rate} a second is done: {_sessions(ended)} cut"
            log.event(log.INFO, "cut_done", text, sessions=ended, wanted=len(ids))

    async def _pace(self, ids: Sequence[str], existing: Existing, reason: Reason) -> int | None:
        """Return how many were ended, None where the planes cannot."""
        try:
            return await pace(ids, existing, partial(self._cut_piece, reason), tick=_TICK)
        except PlaneError as error:
            log.event(log.ERROR, "not_cut", f"sessions stay open: {error}", error=str(error))
            return None

    async def _cut_piece(self, reason: Reason, ids: Sequence[str]) -> int:
        return await self._cut(set(ids), reason)

    def _forget(self, place: Place, task: asyncio.Task[None]) -> None:
        if self._deadlines.get(place) is task:
            del self._deadlines[place]


def _sessions(count: int) -> str:
    return "1 session was" if count == 1 else f"{count} sessions were"


def of_endpoint(session: SessionStatus, place: Place) -> bool:
    """Return whether `session` leads to the endpoint at `place`."""
    key, address = place
    endpoint = session.endpoint
    return endpoint is not None and endpoint.address == address and session.route.key == key
