"""Sessions whose endpoint has left their route: keep, drain or cut them, as its `existing` says.

An endpoint leaves when its name leads elsewhere, when the route is changed in place, with the
whole route, or because it goes into maintenance or fails its probes. What counts is the address a
session is connected to, not the name that led there.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from ambassador.core.departure import STANDING, Departure, Look, Standing, cause, rest
from ambassador.core.located import at
from ambassador.core.session import OVER
from ambassador.core.usable import keeps, working
from ambassador.errors import NoSuchNameError, ResolveError
from ambassador.model import Address, Existing, Fate, Inet, Route
from ambassador.pacing import pace, tell_leaving
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.session import Session
from ambassador.ports import Resolver
from ambassador.tasks import Slice, spawn

__all__ = ["Departures", "Leaving"]

_TICK = 0.02  # seconds between two looks at what is due


class Leaving(NamedTuple):
    """Sessions that are ended by a policy since `began`, by the monotonic clock."""

    why: Departure
    began: float
    sessions: Sequence[Session]


class Departures:
    """Watches the names of one route and ends the sessions that its `existing` says to end.
    `others`: a call that tells whether workers may have begun sessions that are not known here yet,
    and one that waits until the workers have told of them.
    """

    def __init__(
        self,
        live: LiveRoute,
        resolver: Resolver,
        sessions: Callable[[], Collection[Session]],
        others: tuple[Callable[[], bool], Callable[[], Awaitable[None]]],
    ) -> None:
        self._shared, self._told = others
        self._live = live
        self._resolver = resolver
        self._sessions = sessions
        self._unwatch: list[Callable[[], None]] = []
        self._look: asyncio.Task[None] | None = None
        self._again = False
        self.any_left = False  # some session has begun to leave, ever
        self.left: Callable[[LiveRoute], None] = lambda _: None  # called when sessions do
        self._tasks: dict[asyncio.Task[None], Leaving] = {}
        # By endpoint that left: the policy of the change it left with, where it had its own.
        self._once: dict[Address, Existing] = {}

    def follow(self) -> None:
        """Keep the names of the endpoints resolved, so that no client waits for DNS and a change
        is noticed; look at the sessions when there are any.
        """
        watched = self._unwatch
        self._unwatch = [
            self._resolver.watch(endpoint.address.host, lambda _: self._renamed())
            for endpoint in self._live.route.endpoints
            if isinstance(endpoint.address, Inet)
        ]
        for unwatch in watched:
            unwatch()

    def _renamed(self) -> None:
        self._live.look_again()
        self.changed()

    def forget(self) -> None:
        """Watch names no longer; departures that have begun go on."""
        for unwatch in self._unwatch:
            unwatch()
        self._unwatch = []
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def close(self) -> None:
        """End nothing any longer: the route is gone, and no session of it is open."""
        self.forget()
        # This call refers to the listeners, and they to it. A cycle that was frozen (gc.freeze) is
        # never freed: so break it.
        self._live.look_again = lambda: None
        for task in self._tasks:
            task.cancel()

    def replaced(self, before: Route, existing: Existing | None) -> None:
        """The route was `before`: sessions of endpoints that left follow `existing`, if given."""
        here = {endpoint.address for endpoint in self._live.route.endpoints}
        self._once = {a: policy for a, policy in self._once.items() if a not in here}
        for endpoint in before.endpoints:
            if existing is not None and endpoint.address not in here:
                self._once[endpoint.address] = existing
        self.changed()

    def changed(self) -> None:
        """Look which sessions lead to an address the route no longer has."""
        if not self._sessions() and not self._shared():
            return
        self._again = True
        if self._look is None or self._look.done():
            self._look = spawn(self._compare(), f"look at sessions of {self._live.route.name}")

    def removed(self) -> None:
        """The whole route has gone, and all its endpoints with it."""
        self.forget()
        why = cause(None, self._live.route, removed=True)
        self._leave(dict.fromkeys(self._sessions(), why))

    async def _compare(self) -> None:
        while self._again:
            self._again = False
            try:
                if self._shared():
                    # First cut at once those that are known here: workers take a while to tell.
                    await self._look_at_sessions(at_once=True)
                    await self._told()
                await self._look_at_sessions()
            except ResolveError:  # the watch calls again when the name has an address
                return

    async def _look_at_sessions(self, *, at_once: bool = False) -> None:
        if not self._sessions():
            return
        addresses = await self._addresses()
        gone, piece = dict[Session, Departure](), Slice()
        for session in self._sessions():
            if session.place is None and session.aim not in addresses:
                session.reconnect()
            elif session.place is not None and session.place not in addresses:
                gone[session] = self._cause(session)
            await piece.end()
        if at_once:
            gone = {one: why for one, why in gone.items() if _is_at_once(why.existing)}
        self._leave(gone, all_looked_at=not at_once)

    def _cause(self, session: Session) -> Departure:
        mine = session.endpoint.address if session.endpoint else None
        once = self._once.get(mine) if mine is not None else None
        return cause(mine, self._live.route, once=once, place=session.place)

    async def _addresses(self) -> set[tuple[str, int]]:
        found = set()
        for endpoint in filter(keeps, self._live.route.endpoints):
            if isinstance(endpoint.address, Inet):
                with suppress(NoSuchNameError):  # the endpoint has no address any longer
                    addresses = await self._resolver.resolve(endpoint.address.host)
                    for address in working(endpoint, addresses):
                        found.add(at(address, endpoint.address.port))
            else:
                found.add((endpoint.address.path, 0))
        return found

    def _leave(self, gone: Mapping[Session, Departure], *, all_looked_at: bool = True) -> None:
        """Note that `gone` are the sessions whose endpoint is no longer there. Those new among them
        follow the policy as it is now. Sessions that were leaving and are not among them any longer
        are spared, if sessions were `all_looked_at`.
        """
        leaving: dict[Departure, set[Session]] = defaultdict(set)
        for session in self._sessions() if all_looked_at else gone:
            look = Look.GONE if session in gone else Look.THERE
            before, session.standing = session.standing, STANDING[session.standing, look]
            if before is Standing.HERE and session.standing is Standing.LEAVING:
                leaving[gone[session]].add(session)
                self.any_left = True
        if leaving:
            self.left(self._live)
        for why, sessions in leaving.items():
            if why.existing.fate is not Fate.KEEP:
                self._see_off(sessions, why)

    @property
    def under_way(self) -> list[Leaving]:
        """The departures that have begun, with the sessions that are still leaving."""
        return [
            one._replace(sessions=list(filter(_is_leaving, one.sessions)))
            for one in self._tasks.values()
        ]

    def go_on(self, leaving: Leaving) -> None:
        """End the sessions of `leaving` by its policy; another process may have begun with it."""
        self.any_left = True
        task = spawn(self._end(leaving), f"departures of {self._live.route.name}")
        self._tasks[task] = leaving
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    def _see_off(self, sessions: set[Session], why: Departure) -> None:
        tell_leaving(self._live.route.name, len(sessions), why)
        self.go_on(Leaving(why, time.monotonic(), list(sessions)))

    async def _end(self, leaving: Leaving) -> None:
        why = leaving.why

        async def cut(piece: Sequence[Session]) -> int:
            ended, turn = 0, Slice()
            for session in piece:
                if _is_leaving(session):
                    session.cut(why.reason, why.words)
                    ended += 1
                await turn.end()
            return ended

        wait, policy = rest(why.existing, time.monotonic() - leaving.began)
        await asyncio.sleep(wait)
        await pace(list(filter(_is_leaving, leaving.sessions)), policy, cut, tick=_TICK)


def _is_at_once(existing: Existing) -> bool:
    return existing.fate is Fate.CUT and not existing.rate


def _is_leaving(session: Session) -> bool:
    return session.standing is Standing.LEAVING and session.state not in OVER
