"""Sessions in earlier processes whose endpoint leaves its route now: the policy of the route counts
for them as for our own sessions.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence

from ambassador.core.departure import Departure, cause, grace
from ambassador.core.located import at
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step
from ambassador.core.usable import keeps, working
from ambassador.errors import ResolveError
from ambassador.model import Fate, Inet, Proto, Reason, Route, RouteKey
from ambassador.pacing import pace, tell_leaving
from ambassador.ports import Resolver, SessionStatus
from ambassador.spec import format_address
from ambassador.tasks import Slice, spawn

__all__ = ["Departures"]

_TICK = 0.1  # seconds between two checks of what is due; each asks the process with the sessions


class Departures:
    """Call `look` at each change; `sessions` lists the open sessions of earlier processes, `cut`
    ends them.
    """

    def __init__(
        self,
        resolver: Resolver,
        sessions: Callable[[], Awaitable[Sequence[SessionStatus]]],
        cut: Callable[[Collection[str], Reason], Awaitable[int]],
    ) -> None:
        self._resolver = resolver
        self._sessions = sessions
        self._cut = cut
        self._known: dict[RouteKey, set[str]] = {}  # ids of sessions without their endpoint
        self._tasks: set[asyncio.Task[None]] = set()

    async def look(self, steps: Sequence[Step]) -> None:
        """Begin to end the sessions that have no endpoint any more after `steps`, and stop this for
        sessions whose endpoint is back.
        """
        changes = [step for step in steps if not isinstance(step, AddRoute)]
        if not changes:
            return
        sessions = defaultdict[RouteKey, list[SessionStatus]](list)
        for one in await self._sessions():
            if one.address:
                sessions[one.route.key].append(one)
        if not sessions:
            return
        piece = Slice()
        for step in changes:
            await piece.end()
            old, new = (step.old, step.new) if isinstance(step, ChangeRoute) else (step.route, None)
            mine = sessions.get(old.key)
            if not mine or old.proto is Proto.UDP:
                continue
            try:
                kept = set() if new is None else await self._places(new)
            except ResolveError:  # the earlier process itself follows names
                continue
            gone = {one.id: one for one in mine if one.address not in kept}
            known = self._known.get(old.key, set())
            known |= {one.id for one in mine if one.state == "leaving"}
            leaving = [one for name, one in gone.items() if name not in known]
            self._known[old.key] = set(gone)
            parts: dict[Departure, list[str]] = defaultdict(list)
            for one in leaving:
                parts[_cause(one, step)].append(one.id)
            for why, ids in parts.items():
                if why.existing.fate is not Fate.KEEP:
                    self._see_off(old, ids, why)

    def close(self) -> None:
        """End no more sessions."""
        for task in self._tasks:
            task.cancel()

    async def _places(self, route: Route) -> set[str]:
        """Return every address whose sessions may stay, in the form that sessions have."""
        found: set[str] = set()
        for endpoint in filter(keeps, route.endpoints):
            address = endpoint.address
            if isinstance(address, Inet):
                for host in working(endpoint, await self._resolver.resolve(address.host)):
                    places = (at(host, port) for port in address.ports)
                    found |= {format_address(Inet(*place)) for place in places}
            else:
                found.add(f"unix://{address.path}")
        return found

    def _see_off(self, route: Route, ids: Sequence[str], why: Departure) -> None:
        tell_leaving(route.name, len(ids), why, where=" of the ambassador before")
        task = spawn(self._end(route.key, ids, why), f"departures of {route.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self, key: RouteKey, ids: Sequence[str], why: Departure) -> None:
        async def cut(piece: Sequence[str]) -> int:
            still = self._known.get(key, set()) & set(piece)  # the others may stay again
            return await self._cut(still, why.reason) if still else 0

        await asyncio.sleep(grace(why.existing) or 0)
        await pace(ids, why.existing, cut, tick=_TICK)


def _cause(session: SessionStatus, step: ChangeRoute | RemoveRoute) -> Departure:
    """Return why `session` leaves because of `step`."""
    address = session.endpoint.address if session.endpoint else None
    if isinstance(step, ChangeRoute):
        return cause(address, step.new, once=step.existing)
    return cause(address, step.route, removed=True)
