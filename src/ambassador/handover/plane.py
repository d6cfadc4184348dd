"""The processes that had the routes before this one and still have sessions, as one more plane.

It gets no new sessions; it counts, lists and cuts, and ends sessions whose endpoint has left its
route since then.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

from ambassador import log
from ambassador.core.plan import ChangeRoute, RemoveRoute, Step
from ambassador.errors import RunError
from ambassador.handover.counters import (
    Counters,
    HandedCounters,
    RouteCounters,
    add,
    lasting,
    status_of,
)
from ambassador.handover.departures import Departures
from ambassador.handover.process import EarlierProcess
from ambassador.handover.sessions import own_id
from ambassador.model import Reason, Route, RouteKey
from ambassador.ports import Resolver, RouteStatus, SessionStatus
from ambassador.tasks import Slice, spawn

__all__ = ["EarlierPlane"]

_T = TypeVar("_T")


class EarlierPlane:
    """Implements ports.Earlier."""

    name = "earlier"

    def __init__(self, resolver: Resolver) -> None:
        self._processes: list[EarlierProcess] = []
        self._past: Counters = {}
        self._routes: dict[RouteKey, Route] = {}
        self._lock = asyncio.Lock()  # one comparison at a time, with the routes of that moment
        self._departures = Departures(resolver, self.sessions, self.cut)

    def take_over(
        self,
        handed: HandedCounters,
        predecessor: socket.socket,
        earlier: Iterable[socket.socket],
    ) -> None:
        """Continue with the counters that were `handed` over, and ask `predecessor` and the
        processes before it (`earlier`) from now on.
        """
        if self._past:
            add(self._past, handed.past)
        else:
            self._past = handed.past
        self._join(predecessor, handed.live)
        for sock, counters in zip_longest(earlier, handed.earlier):
            if sock is not None:
                self._join(sock, counters or {})
        spawn(self._compare(), "look at sessions of earlier processes")

    @property
    def processes(self) -> Sequence[tuple[int, int]]:
        """See ports.Earlier."""
        return [(process.pid, process.open) for process in self._processes]

    def counters(self, route: Route) -> RouteCounters:
        """Return all that was counted of `route`."""
        if not self._past and not self._processes:
            return {}
        key = route.key
        found: Counters = {}
        for one in (self._past, *(process.counters for process in self._processes)):
            if key in one:
                add(found, {key: one[key]})
        return found.get(key, {})

    def past(self, route: Route) -> RouteCounters:
        """Return what processes that have ended have counted of `route`."""
        return self._past.get(route.key, {})

    def recover(self, counted: Mapping[RouteKey, RouteCounters]) -> None:
        """Continue with what a killed process has counted."""
        add(self._past, {key: lasting(one) for key, one in counted.items() if one})

    async def hand_over(self) -> tuple[HandedCounters, list[socket.socket]]:
        """Return the counters of processes that have ended, and of the others as they are known;
        and the connections to the latter, which are not asked any more.
        """
        for process in tuple(self._processes):
            await process.stop()
        earlier = [process.counters for process in self._processes]
        connections = [process.sock for process in self._processes]
        return HandedCounters(self._past, {}, earlier), connections

    async def prepare(self, steps: Sequence[Step]) -> None:
        """Do nothing: `apply` cannot fail here; see ports.Plane."""

    async def apply(self, steps: Sequence[Step]) -> None:
        """Note `steps`; see ports.Plane."""
        async with self._lock:
            piece = Slice()
            for step in steps:
                self._note(step)
                await piece.end()
            if self._processes:
                await self._departures.look(steps)

    async def _compare(self) -> None:
        """Look at all sessions: our routes may lead elsewhere than the routes of the
        predecessor.
        """
        async with self._lock:
            await self._departures.look([ChangeRoute(one, one) for one in self._routes.values()])

    def _note(self, step: Step) -> None:
        route = step.new if isinstance(step, ChangeRoute) else step.route
        key = route.key
        if isinstance(step, RemoveRoute):
            self._routes.pop(key, None)
            # A route that is added again counts from 0.
            self._past.pop(key, None)
            if gone := lasting(self.counters(route)):
                self._past[key] = {name: -value for name, value in gone.items()}
        else:
            self._routes[key] = route

    async def measure(self, routes: Sequence[Route] | None = None) -> None:
        """Ask all processes; see ports.Plane."""
        await _all([process.measure() for process in self._processes])

    def status(self, routes: Sequence[Route] | None = None) -> Sequence[RouteStatus]:
        """Return what was counted; see ports.Plane."""
        chosen = self._routes.values() if routes is None else routes
        known = ((route, self.counters(route)) for route in chosen)
        return [status_of(route, counters) for route, counters in known if counters]

    async def sessions(self, routes: Sequence[Route] | None = None) -> Sequence[SessionStatus]:
        """Return the open sessions of earlier processes; see ports.Plane."""
        lists = await _all([process.sessions(self._routes.get) for process in self._processes])
        found = [session for sessions in lists for session in sessions]
        if routes is None:
            return found
        keys = {route.key for route in routes}
        return [session for session in found if session.route.key in keys]

    async def cut(self, ids: Collection[str], reason: Reason) -> int:
        """Have the processes that have these sessions end them; see ports.Plane."""
        cuts = []
        for process in self._processes:
            own = [name for one in ids if (name := own_id(one, process.pid)) is not None]
            if own:
                cuts.append(process.cut(own, reason))
        return sum(await _all(cuts))

    async def drain(self, grace: float) -> int:
        """Do nothing: these sessions end by themselves; see ports.Plane."""
        return 0

    async def close(self) -> None:
        """Ask no process any more: sessions go on without us."""
        self._departures.close()
        processes, self._processes = self._processes, []
        for process in processes:
            await process.stop()
            process.sock.close()

    def _join(self, sock: socket.socket, counters: Counters) -> None:
        process = EarlierProcess(sock, counters, self._gone)
        self._processes.append(process)
        process.start()

    async def _gone(self, process: EarlierProcess) -> None:
        """Keep what the ended process has counted."""
        if process not in self._processes:
            return  # we are ending, too
        piece = Slice()
        while process.counters:  # a route's move in one step: all sums stay right
            key, counted = process.counters.popitem()
            add(self._past, {key: lasting(counted)})
            await piece.end()
        if process in self._processes:
            self._processes.remove(process)
        log.event(
            log.INFO,
            "earlier_ended",
            f"process {process.pid}, the previous ambassador, has ended",
            pid=process.pid,
        )


async def _all(questions: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Return the answers of all that answer, and that make sense."""
    answers = await asyncio.gather(*questions, return_exceptions=True)
    found: list[_T] = []
    for answer in answers:
        if isinstance(answer, RunError):
            log.event(log.WARNING, "earlier_not_understood", str(answer))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found.append(answer)
    return found
