"""Open sessions of clients that may not come in any more: ended, whatever plane carries them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from functools import partial

from ambassador import log
from ambassador.control.stack import PlaneStack
from ambassador.core.admission import admits, host_of
from ambassador.core.departure import Departure, grace
from ambassador.core.identity import may_come_in
from ambassador.core.plan import AddRoute, ChangeRoute, Step
from ambassador.errors import PlaneError
from ambassador.model import Fate, Reason, Route, RouteKey
from ambassador.pacing import pace, tell_leaving
from ambassador.ports import SessionStatus
from ambassador.tasks import Slice, spawn

__all__ = ["Denied"]

_TICK = 0.05  # seconds between two checks of what is due
_AGAIN = 0.3  # seconds until a second look, for clients that were connecting during the first


class Denied:
    """Looks at the sessions of each route whose `admitted` has changed, or that is new: an earlier
    ambassador may have let in other clients.
    """

    def __init__(self, plane: PlaneStack) -> None:
        self._plane = plane
        self._tasks: dict[RouteKey, asyncio.Task[None]] = {}

    async def changed(self, steps: Iterable[Step]) -> None:
        """Look at the sessions of the routes that `steps` have changed."""
        piece = Slice()
        for step in steps:
            await piece.end()
            match step:
                case AddRoute(route):
                    self.look([route])
                case ChangeRoute(old, new) if (
                    old.admitted != new.admitted or old.let_in != new.let_in
                ):
                    self.look([new])

    def look(self, routes: Iterable[Route]) -> None:
        """End the sessions of `routes` that are not admitted, as each route's policy says."""
        for route in routes:
            if earlier := self._tasks.pop(route.key, None):
                earlier.cancel()
            if route.admitted is not None or route.peers:
                task = spawn(self._look(route), f"who may stay at {route.name}")
                self._tasks[route.key] = task
                task.add_done_callback(partial(self._forget, route.key))

    def close(self) -> None:
        """End no more sessions."""
        for task in tuple(self._tasks.values()):
            task.cancel()

    async def _look(self, route: Route) -> None:
        why = Departure(Reason.DENIED, route.existing.of(Reason.DENIED))
        if why.existing.fate is Fate.KEEP:
            return
        try:
            if found := await self._found(route):
                tell_leaving(route.name, len(found), why)
            await asyncio.sleep(grace(why.existing) or 0)
            if found or why.existing.fate is Fate.DRAIN:
                await pace(await self._found(route), why.existing, self._cut, tick=_TICK)
            await asyncio.sleep(_AGAIN)
            await self._cut(await self._found(route))
        except PlaneError as error:
            text = f"{route.name}  sessions of clients that may not come in stay open: {error}"
            log.event(log.ERROR, "not_cut", text, route=route.name, error=str(error))

    async def _found(self, route: Route) -> list[str]:
        sessions = await self._plane.sessions([route])
        return [one.id for one in sessions if _is_denied(one, route)]

    async def _cut(self, ids: Collection[str]) -> int:
        return await self._plane.cut(set(ids), Reason.DENIED) if ids else 0

    def _forget(self, key: RouteKey, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]


def _is_denied(session: SessionStatus, route: Route) -> bool:
    if session.names and not may_come_in(session.names, route.let_in):
        return True
    host = host_of(session.client)
    return bool(host) and route.admitted is not None and not admits(route.admitted, host)
