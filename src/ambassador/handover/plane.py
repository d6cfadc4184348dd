"""The processes that had the routes before this one and still have sessions, as one more plane.

Nothing new comes to it; it counts, lists, cuts, and sees to sessions whose endpoint has left its
route since then.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Coroutine, Iterable, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

from ambassador import log
from ambassador.core.plan import ChangeRoute, RemoveRoute, Step
from ambassador.errors import RunError
from ambassador.handover.counters import Account, Accounts, Legacy, add, past, status_of
from ambassador.handover.departures import Departures
from ambassador.handover.process import Process
from ambassador.handover.sessions import own_id
from ambassador.model import Reason, Route, RouteKey
from ambassador.ports import Resolver, RouteStatus, SessionStatus
from ambassador.tasks import spawn

__all__ = ["EarlierPlane"]

_T = TypeVar("_T")


class EarlierPlane:
    """Implements ports.Former."""

    name = "former"

    def __init__(self, resolver: Resolver) -> None:
        self._processes: list[Process] = []
        self._past: Accounts = {}
        self._routes: dict[RouteKey, Route] = {}
        self._lock = asyncio.Lock()  # one look at a time, at the routes of that moment
        self._leavers = Departures(resolver, self.sessions, self.cut)

    def take_over(
        self, legacy: Legacy, predecessor: socket.socket, others: Iterable[socket.socket]
    ) -> None:
        """Go on with the numbers of `legacy`, and ask `predecessor` and the `others` before it."""
        add(self._past, legacy.past)
        self._join(predecessor, legacy.live)
        for sock, accounts in zip_longest(others, legacy.others):
            if sock is not None:
                self._join(sock, accounts or {})
        spawn(self._compare(), "look at sessions of former processes")

    @property
    def processes(self) -> Sequence[tuple[int, int]]:
        """See ports.Former."""
        return [(process.pid, process.open) for process in self._processes]

    def account(self, route: Route) -> Account:
        """Return all that was counted of `route`."""
        if not self._past and not self._processes:
            return {}
        key = route.key
        found: Accounts = {}
        for accounts in (self._past, *(process.accounts for process in self._processes)):
            if key in accounts:
                add(found, {key: accounts[key]})
        return found.get(key, {})

    async def hand_over(self) -> tuple[Legacy, list[socket.socket]]:
        """Return the numbers of processes that have ended, and of the others as they are known;
        and the connections to those, which are asked no longer.
        """
        for process in tuple(self._processes):
            await process.stop()
        others = [process.accounts for process in self._processes]
        return Legacy(self._past, {}, others), [process.sock for process in self._processes]

    async def prepare(self, steps: Sequence[Step]) -> None:
        """Nothing fails here; see ports.Plane."""

    async def apply(self, steps: Sequence[Step]) -> None:
        """Take note of `steps`; see ports.Plane."""
        async with self._lock:
            self._note(steps)
            if self._processes:
                await self._leavers.look(steps)

    async def _compare(self) -> None:
        """Our routes may lead elsewhere than those we have taken over."""
        async with self._lock:
            await self._leavers.look([ChangeRoute(one, one) for one in self._routes.values()])

    def _note(self, steps: Sequence[Step]) -> None:
        for step in steps:
            route = step.new if isinstance(step, ChangeRoute) else step.route
            key = route.key
            if isinstance(step, RemoveRoute):
                self._routes.pop(key, None)
                # A route that comes back counts from nothing.
                self._past.pop(key, None)
                if gone := past(self.account(route)):
                    self._past[key] = {name: -value for name, value in gone.items()}
            else:
                self._routes[key] = route

    async def measure(self) -> None:
        """Ask all of them; see ports.Plane."""
        await _all([process.measure() for process in self._processes])

    def status(self, routes: Sequence[Route] | None = None) -> Sequence[RouteStatus]:
        """Return what was counted; see ports.Plane."""
        chosen = self._routes.values() if routes is None else routes
        accounts = ((route, self.account(route)) for route in chosen)
        return [status_of(route, account) for route, account in accounts if account]

    async def sessions(self, routes: Sequence[Route] | None = None) -> Sequence[SessionStatus]:
        """Return the sessions that go on; see ports.Plane."""
        lists = await _all([process.sessions(self._routes.get) for process in self._processes])
        found = [session for sessions in lists for session in sessions]
        if routes is None:
            return found
        keys = {route.key for route in routes}
        return [session for session in found if session.route.key in keys]

    async def cut(self, ids: Collection[str], reason: Reason) -> int:
        """Have them ended where they are; see ports.Plane."""
        asked = []
        for process in self._processes:
            own = [name for one in ids if (name := own_id(one, process.pid)) is not None]
            if own:
                asked.append(process.cut(own, reason))
        return sum(await _all(asked))

    async def drain(self, grace: float) -> int:
        """They end by themselves; see ports.Plane."""
        return 0

    async def close(self) -> None:
        """Ask nobody any longer: sessions go on without us."""
        self._leavers.close()
        processes, self._processes = self._processes, []
        for process in processes:
            await process.stop()
            process.sock.close()

    def _join(self, sock: socket.socket, accounts: Accounts) -> None:
        process = Process(sock, accounts, self._gone)
        self._processes.append(process)
        process.start()

    def _gone(self, process: Process) -> None:
        """Keep what it has counted."""
        if process not in self._processes:
            return  # we are ending, too
        self._processes.remove(process)
        add(self._past, {key: past(one) for key, one in process.accounts.items()})
        log.event(
            log.INFO,
            "former_ended",
            f"process {process.pid}, the ambassador before, has ended",
            pid=process.pid,
        )


async def _all(asking: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Return the answers of all that answer, and make sense."""
    answers = await asyncio.gather(*asking, return_exceptions=True)
    found: list[_T] = []
    for answer in answers:
        if isinstance(answer, RunError):
            log.event(log.WARNING, "former_not_understood", str(answer))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found.append(answer)
    return found
