"""Sessions whose endpoint has left their route: see to them as the route's policy says.

An endpoint leaves when its name leads elsewhere, when the route is changed in place, or with the
whole route. What counts is the address a session is connected to, not what it was called.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from ambassador import log
from ambassador.core.ending import due, grace
from ambassador.core.session import State
from ambassador.errors import ResolveError
from ambassador.model import Existing, Fate, Inet
from ambassador.planes.relay.session import Session
from ambassador.planes.relay.state import RouteState
from ambassador.ports import Resolver
from ambassador.spec import format_existing
from ambassador.tasks import spawn

__all__ = ["Leaving"]

_TICK = 0.02  # seconds between two looks at what is due
_PIECE = 100  # sessions cut before other work of the loop has its turn


class Leaving:
    """Watches the names of one route and ends the sessions that its `existing` says to end."""

    def __init__(
        self, state: RouteState, resolver: Resolver, sessions: Callable[[], Collection[Session]]
    ) -> None:
        self._state = state
        self._resolver = resolver
        self._sessions = sessions
        self._unwatch: list[Callable[[], None]] = []
        self._look: asyncio.Task[None] | None = None
        self._again = False
        self._endings: set[asyncio.Task[None]] = set()

    def follow(self) -> None:
        """Keep the names of the endpoints resolved, so that no client waits for DNS and a change
        is noticed; look at the sessions when there are any.
        """
        watched = self._unwatch
        self._unwatch = [
            self._resolver.watch(endpoint.address.host, lambda _: self.changed())
            for endpoint in self._state.route.endpoints
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

    def changed(self) -> None:
        """Look which sessions lead to an address the route no longer has."""
        if not self._sessions():
            return
        self._again = True
        if self._look is None or self._look.done():
            self._look = spawn(self._compare(), f"look at sessions of {self._state.route.name}")

    def removed(self) -> None:
        """The whole route has gone, and all its endpoints with it."""
        self.forget()
        self._leave(set(self._sessions()), "the route was removed")

    async def _compare(self) -> None:
        while self._again:
            self._again = False
            try:
                addresses = await self._addresses()
            except ResolveError:  # told again when the name has an address
                return
            for session in self._sessions():
                if session.place is None:
                    session.reconnect()
            self._leave(
                {
                    session
                    for session in self._sessions()
                    if session.place is not None and session.place not in addresses
                },
                "its endpoint left the route",
            )

    async def _addresses(self) -> set[tuple[str, int]]:
        found = set()
        for endpoint in self._state.route.endpoints:
            if isinstance(endpoint.address, Inet):
                for address in await self._resolver.resolve(endpoint.address.host):
                    found.add((address, endpoint.address.port))
            else:
                found.add((endpoint.address.path, 0))
        return found

    def _leave(self, gone: set[Session], reason: str) -> None:
        """Note that `gone` are the sessions whose endpoint is no longer there: those that were
        not among them yet follow the policy as it is now, those that no longer are are spared.
        """
        new = {session for session in gone if not session.leaving}
        for session in self._sessions():
            session.leaving = session in gone
        existing = self._state.route.existing
        if not new or existing.fate is Fate.KEEP:
            return
        name = self._state.route.name
        log.event(
            log.INFO,
            "sessions_leaving",
            f"{name}  {len(new)} open sessions, {reason}: {format_existing(existing)}",
            route=name,
            sessions=len(new),
            reason=reason,
            existing=format_existing(existing),
        )
        ending = spawn(self._end(new, existing, reason), f"ending of {name}")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def _end(self, sessions: set[Session], existing: Existing, reason: str) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(grace(existing) or 0)
        live = [session for session in sessions if _is_leaving(session)]
        began, count, ended = loop.time(), len(live), 0
        while live:
            wanted = due(existing, count, loop.time() - began) - ended
            piece, live = live[:wanted], live[wanted:]
            for place, session in enumerate(piece, start=1):
                if _is_leaving(session):
                    session.cut(reason)
                    ended += 1
                if place % _PIECE == 0:
                    await asyncio.sleep(0)
            if live:
                await asyncio.sleep(_TICK)


def _is_leaving(session: Session) -> bool:
    return session.leaving and session.status is not State.CLOSED
