"""Sessions whose endpoint has left their route: see to them as the route's policy says.

An endpoint leaves when its name leads elsewhere, when the route is changed in place, with the
whole route, or because it goes into maintenance or fails its probes. What counts is the address a
session is connected to, not what it was called.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from ambassador import log
from ambassador.core.departure import grace
from ambassador.core.session import State
from ambassador.core.usable import keeps
from ambassador.errors import ResolveError
from ambassador.model import Address, Admin, Existing, Fate, Inet, Reason, Route
from ambassador.pacing import pace
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.session import Session
from ambassador.ports import Resolver
from ambassador.spec import format_existing
from ambassador.tasks import spawn

__all__ = ["Departures"]

_TICK = 0.02  # seconds between two looks at what is due
_SAID = {
    Reason.MOVED: "its endpoint left the route",
    Reason.MAINT: "its endpoint is in maintenance",
    Reason.UNHEALTHY: "its endpoint is unhealthy",
    Reason.REMOVED: "the route was removed",
}
_PIECE = 100  # sessions cut before other work of the loop has its turn


class Departures:
    """Watches the names of one route and ends the sessions that its `existing` says to end."""

    def __init__(
        self, live: LiveRoute, resolver: Resolver, sessions: Callable[[], Collection[Session]]
    ) -> None:
        self._live = live
        self._resolver = resolver
        self._sessions = sessions
        self._unwatch: list[Callable[[], None]] = []
        self._look: asyncio.Task[None] | None = None
        self._again = False
        self._endings: set[asyncio.Task[None]] = set()
        # The policy of the change an endpoint left with, where that was not the route's.
        self._once: dict[Address, Existing] = {}

    def follow(self) -> None:
        """Keep the names of the endpoints resolved, so that no client waits for DNS and a change
        is noticed; look at the sessions when there are any.
        """
        watched = self._unwatch
        self._unwatch = [
            self._resolver.watch(endpoint.address.host, lambda _: self.changed())
            for endpoint in self._live.route.endpoints
            if isinstance(endpoint.address, Inet)
        ]
        for unwatch in watched:
            unwatch()

    def forget(self) -> None:
        """Watch no longer; endings that have begun go on."""
        for unwatch in self._unwatch:
            unwatch()
        self._unwatch = []
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def close(self) -> None:
        """End nothing any longer."""
        self.forget()
        for ending in self._endings:
            ending.cancel()

    def replaced(self, former: Route, existing: Existing | None) -> None:
        """The route was `former`: look at the sessions, which follow `existing` this time."""
        here = {endpoint.address for endpoint in self._live.route.endpoints}
        self._once = {a: policy for a, policy in self._once.items() if a not in here}
        for endpoint in former.endpoints:
            if existing is not None and endpoint.address not in here:
                self._once[endpoint.address] = existing
        self.changed()

    def changed(self) -> None:
        """Look which sessions lead to an address the route no longer has."""
        if not self._sessions():
            return
        self._again = True
        if self._look is None or self._look.done():
            self._look = spawn(self._compare(), f"look at sessions of {self._live.route.name}")

    def removed(self) -> None:
        """The whole route has gone, and all its endpoints with it."""
        self.forget()
        existing = self._live.route.existing
        self._leave(dict.fromkeys(self._sessions(), (Reason.REMOVED, existing)))

    async def _compare(self) -> None:
        while self._again:
            self._again = False
            try:
                addresses = await self._addresses()
            except ResolveError:  # told again when the name has an address
                return
            for session in self._sessions():
                if session.place is None and session.aim not in addresses:
                    session.reconnect()
            self._leave(
                {
                    session: self._cause(session)
                    for session in self._sessions()
                    if session.place is not None and session.place not in addresses
                }
            )

    def _cause(self, session: Session) -> tuple[Reason, Existing]:
        """Return why `session` has to leave, and by which policy."""
        route = self._live.route
        mine = session.endpoint.address if session.endpoint else None
        for endpoint in route.endpoints:
            if endpoint.address == mine and not keeps(endpoint):
                maint = endpoint.admin is Admin.MAINT
                return Reason.MAINT if maint else Reason.UNHEALTHY, route.existing
        once = self._once.get(mine) if mine is not None else None
        return Reason.MOVED, once or route.existing

    async def _addresses(self) -> set[tuple[str, int]]:
        found = set()
        for endpoint in filter(keeps, self._live.route.endpoints):
            if isinstance(endpoint.address, Inet):
                for address in await self._resolver.resolve(endpoint.address.host):
                    found.add((address, endpoint.address.port))
            else:
                found.add((endpoint.address.path, 0))
        return found

    def _leave(self, gone: Mapping[Session, tuple[Reason, Existing]]) -> None:
        """Note that `gone` are the sessions whose endpoint is no longer there: those that were
        not among them yet follow the policy as it is now, those that no longer are are spared.
        """
        leaving: dict[tuple[Reason, Existing], set[Session]] = defaultdict(set)
        for session in self._sessions():
            if session in gone and not session.leaving:
                leaving[gone[session]].add(session)
            session.leaving = session in gone
        for (reason, existing), sessions in leaving.items():
            if existing.fate is not Fate.KEEP:
                self._see_off(sessions, reason, existing)

    def _see_off(self, sessions: set[Session], reason: Reason, existing: Existing) -> None:
        name = self._live.route.name
        log.event(
            log.INFO,
            "sessions_leaving",
            f"{name}  {len(sessions)} open sessions, {_SAID[reason]}: {format_existing(existing)}",
            route=name,
            sessions=len(sessions),
            reason=_SAID[reason],
            existing=format_existing(existing),
        )
        ending = spawn(self._end(sessions, existing, reason), f"ending of {name}")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def _end(self, sessions: set[Session], existing: Existing, reason: Reason) -> None:
        async def cut(piece: Sequence[Session]) -> int:
            ended = 0
            for place, session in enumerate(piece, start=1):
                if _is_leaving(session):
                    session.cut(reason, _SAID[reason])
                    ended += 1
                if place % _PIECE == 0:
                    await asyncio.sleep(0)
            return ended

        await asyncio.sleep(grace(existing) or 0)
        await pace(list(filter(_is_leaving, sessions)), existing, cut, tick=_TICK)


def _is_leaving(session: Session) -> bool:
    return session.leaving and session.state is not State.CLOSED
