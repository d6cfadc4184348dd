"""Sessions in former processes whose endpoint leaves its route now: what the route's policy says
counts for them as it does for our own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

from ambassador import log
from ambassador.core.departure import grace
from ambassador.core.plan import AddRoute, ChangeRoute, Step
from ambassador.core.usable import keeps
from ambassador.errors import ResolveError
from ambassador.model import Admin, Existing, Fate, Inet, Proto, Reason, Route, RouteKey
from ambassador.pacing import pace
from ambassador.ports import Resolver, SessionStatus
from ambassador.spec import format_address, format_existing
from ambassador.tasks import spawn

__all__ = ["Departures"]

_TICK = 0.1  # seconds between two looks at what is due; each asks the process that has them


class Departures:
    """`look` at each change; `sessions` lists those of former processes, `cut` ends them."""

    def __init__(
        self,
        resolver: Resolver,
        sessions: Callable[[], Awaitable[Sequence[SessionStatus]]],
        cut: Callable[[Collection[str], Reason], Awaitable[int]],
    ) -> None:
        self._resolver = resolver
        self._sessions = sessions
        self._cut = cut
        self._known: dict[RouteKey, set[str]] = {}  # whose endpoint is not there, by their ids
        self._endings: set[asyncio.Task[None]] = set()

    async def look(self, steps: Sequence[Step]) -> None:
        """See to the sessions that have no endpoint any longer after `steps`, and spare those
        that have one again.
        """
        changes = [step for step in steps if not isinstance(step, AddRoute)]
        if not changes:
            return
        sessions = await self._sessions()
        for step in changes:
            old, new = (step.old, step.new) if isinstance(step, ChangeRoute) else (step.route, None)
            mine = [one for one in sessions if one.route.key == old.key and one.address]
            if not mine or old.proto is Proto.UDP:
                continue
            try:
                kept = set() if new is None else await self._places(new)
            except ResolveError:  # the process itself follows names
                continue
            gone = {one.id: one for one in mine if one.address not in kept}
            known = self._known.get(old.key, set())
            known |= {one.id for one in mine if one.state == "leaving"}
            leaving = [one for name, one in gone.items() if name not in known]
            self._known[old.key] = set(gone)
            once = step.existing if isinstance(step, ChangeRoute) else None
            for reason in Reason:
                part = [one.id for one in leaving if _cause(one, new) is reason]
                policy = once if once and reason is Reason.MOVED else (new or old).existing
                if part and policy.fate is not Fate.KEEP:
                    self._see_off(old, part, policy, reason)

    def close(self) -> None:
        """End nothing any longer."""
        for ending in self._endings:
            ending.cancel()

    async def _places(self, route: Route) -> set[str]:
        """Return every address whose sessions may stay, as sessions have them."""
        found: set[str] = set()
        for endpoint in filter(keeps, route.endpoints):
            address = endpoint.address
            if isinstance(address, Inet):
                for host in await self._resolver.resolve(address.host):
                    found |= {format_address(Inet(host, port)) for port in address.ports}
            else:
                found.add(f"unix://{address.path}")
        return found

    def _see_off(self, route: Route, ids: Sequence[str], existing: Existing, why: Reason) -> None:
        log.event(
            log.INFO,
            "sessions_leaving",
            f"{route.name}  {len(ids)} open sessions of the ambassador before, {why}: "
            f"{format_existing(existing)}",
            route=route.name,
            sessions=len(ids),
            reason=why.value,
            existing=format_existing(existing),
        )
        task = spawn(self._end(route.key, ids, existing, why), f"ending of {route.name}")
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _end(
        self, key: RouteKey, ids: Sequence[str], existing: Existing, reason: Reason
    ) -> None:
        async def cut(piece: Sequence[str]) -> int:
            still = self._known.get(key, set()) & set(piece)  # others are wanted again
            return await self._cut(still, reason) if still else 0

        await asyncio.sleep(grace(existing) or 0)
        await pace(ids, existing, cut, tick=_TICK)


def _cause(session: SessionStatus, route: Route | None) -> Reason:
    """Return why the endpoint of `session` is not there in `route`, which it is the state of."""
    if route is None:
        return Reason.REMOVED
    for endpoint in route.endpoints:
        if session.endpoint and session.endpoint.address == endpoint.address:
            return Reason.MAINT if endpoint.admin is Admin.MAINT else Reason.UNHEALTHY
    return Reason.MOVED
