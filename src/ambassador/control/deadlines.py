"""Sessions the operator wants ended: at once, at a rate, or at the deadline of a drain.

Works on any plane by the ids of sessions, and looks again before each piece: sessions that have
ended by themselves, or may stay after all, are left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial

from ambassador import log
from ambassador.core.departure import rest
from ambassador.core.ending import DrainUntil, SlowCut
from ambassador.errors import PlaneError
from ambassador.model import Address, Existing, Fate, Reason, RouteKey
from ambassador.pacing import pace
from ambassador.ports import SessionStatus
from ambassador.spec import format_address
from ambassador.tasks import spawn

__all__ = ["Deadlines", "of_endpoint"]

_TICK = 0.1  # seconds between two checks of what is due; each may list all sessions

List = Callable[[], Awaitable[Sequence[SessionStatus]]]
Cut = Callable[[Collection[str], Reason], Awaitable[int]]
Place = tuple[RouteKey, Address]


class Deadlines:
    """The sessions that are being ended; `sessions` lists all sessions, `cut` ends those with given
    ids, `changed` is called each time the set of endings changes.
    """

    def __init__(self, sessions: List, cut: Cut, changed: Callable[[], None]) -> None:
        self._sessions = sessions
        self._cut = cut
        self._changed = changed
        self._deadlines: dict[Place, asyncio.Task[None]] = {}
        self._drains: dict[Place, DrainUntil] = {}
        self._rates: dict[asyncio.Task[None], tuple[frozenset[str], SlowCut]] = {}

    @property
    def endings(self) -> tuple[DrainUntil | SlowCut, ...]:
        """The endings that a process which takes over has to continue."""
        return (*self._drains.values(), *(cut for _, cut in self._rates.values()))

    def resume(self, endings: Iterable[DrainUntil | SlowCut]) -> None:
        """Continue what an earlier process has begun."""
        for one in endings:
            if isinstance(one, DrainUntil):
                self._begin(one)
            else:
                task = spawn(self._resume_cut(one), "cut at a rate that was begun before")
                self._add(task, one)

    def leaving(self, session: SessionStatus) -> bool:
        """Return whether `session` will be ended: by a cut that is under way, or at the deadline of
        the drain of its endpoint.
        """
        if any(session.id in ids for ids, _ in self._rates.values()):
            return True
        endpoint = session.endpoint
        return endpoint is not None and (session.route.key, endpoint.address) in self._deadlines

    async def cut(self, ids: Sequence[str], existing: Existing, reason: Reason) -> int:
        """End the sessions with these `ids` by `existing`: at once, or begin to end them at its
        rate. Return how many have been ended.
        """
        if not existing.rate:
            return await self._cut(set(ids), reason)
        task = spawn(self._cut_slowly(ids, existing, reason), "cut at a rate")
        self._add(task, SlowCut(tuple(ids), existing.rate))
        return 0

    def drain(self, place: Place, seconds: float, name: str) -> None:
        """End the sessions still open at `place`, of the route called `name`, at the end of a
        drain, spread over its last part.
        """
        self._begin(DrainUntil(*place, name, asyncio.get_running_loop().time(), seconds))

    def spare(self, places: Collection[Place]) -> None:
        """Forget the deadlines of `places`."""
        spared = [task for place in places if (task := self._deadlines.pop(place, None))]
        for place in places:
            self._drains.pop(place, None)
        for task in spared:
            task.cancel()
        if spared:
            self._changed()

    def keep_only(self, places: Iterable[Place]) -> None:
        """Forget the deadlines of all but `places`."""
        if self._deadlines:
            self.spare(self._deadlines.keys() - set(places))

    def close(self) -> None:
        """End no more sessions."""
        self.keep_only(())
        for task in tuple(self._rates):
            task.cancel()

    def _begin(self, drain: DrainUntil) -> None:
        place = drain.key, drain.address
        self.spare([place])
        self._drains[place] = drain
        task = self._deadlines[place] = spawn(self._drain(drain, place), "deadline of a drain")
        task.add_done_callback(lambda done: self._forget(place, done))
        self._changed()

    def _add(self, task: asyncio.Task[None], cut: SlowCut) -> None:
        def over(done: asyncio.Task[None]) -> None:
            if self._rates.pop(done, None):
                self._changed()

        self._rates[task] = frozenset(cut.ids), cut
        task.add_done_callback(over)
        self._changed()

    async def _resume_cut(self, cut: SlowCut) -> None:
        """Continue `cut`: some of its sessions may have ended since; a session that an earlier
        process still has is now called ID@PROCESS.
        """
        wanted = frozenset(cut.ids)
        found = [one.id for one in await self._sessions() if one.id.partition("@")[0] in wanted]
        await self._cut_slowly(found, Existing(Fate.CUT, rate=cut.rate), Reason.CUT)

    async def _drain(self, drain: DrainUntil, place: Place) -> None:
        name = drain.name
        elapsed = asyncio.get_running_loop().time() - drain.began
        wait, existing = rest(Existing(Fate.DRAIN, seconds=drain.seconds), elapsed)
        await asyncio.sleep(wait)
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
        """Return how many were ended, None where the planes cannot end them."""
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
            self._drains.pop(place, None)
            self._changed()


def _sessions(count: int) -> str:
    return "1 session was" if count == 1 else f"{count} sessions were"


def of_endpoint(session: SessionStatus, place: Place) -> bool:
    """Return whether `session` leads to the endpoint at `place`."""
    key, address = place
    endpoint = session.endpoint
    return endpoint is not None and endpoint.address == address and session.route.key == key
