"""A plane with others in front of it, used as one plane: one order of changes, one set of
numbers.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from ambassador import log
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step, undo
from ambassador.errors import AmbassadorError, PlaneError
from ambassador.model import Reason, Route, RouteKey
from ambassador.ports import Earlier, EndpointMet, Front, Plane, RouteStatus, SessionStatus
from ambassador.tasks import Slice

__all__ = ["OfHost", "PlaneStack", "same"]


_NUMBERS = ("opened", "open", "refused", "to_upstream", "to_client", "held", "held_total")
_MET = ("opened", "to_upstream", "to_client", "failures")
_AT_ONCE = 50  # routes whose planes are looked at together, 1 ms


_T = TypeVar("_T")
OfHost = Callable[[Sequence[RouteStatus]], Sequence[RouteStatus]]


def same(statuses: Sequence[RouteStatus]) -> Sequence[RouteStatus]:
    """Return `statuses` unchanged: the host does nothing to the routes."""
    return statuses


class _Before(NamedTuple):
    """The state before the steps that are being performed: routes that did not exist, and the
    status of those that did.
    """

    coming: frozenset[RouteKey]
    known: Mapping[RouteKey, RouteStatus]


class PlaneStack:
    """Implements ports.Plane over `plane`, which listens for every route, and `fronts`, each in
    front of the planes before it; `earlier` is behind all of them. `of_host` adds to the status of
    routes what this host does to each of them, whichever plane has it.
    """

    def __init__(
        self,
        plane: Plane,
        fronts: Sequence[Front],
        earlier: Earlier | None = None,
        of_host: OfHost = same,
    ) -> None:
        self._plane = plane
        self._fronts = fronts
        self._earlier = earlier
        self._of_host = of_host
        self._before: _Before | None = None  # while steps are performed
        self.name = "+".join(one.name for one in (plane, *fronts))

    @property
    def _all(self) -> tuple[Plane, ...]:
        earlier = () if self._earlier is None else (self._earlier,)
        return (*earlier, self._plane, *self._fronts)

    @property
    def processes(self) -> Sequence[tuple[int, int]]:
        """See ports.Earlier."""
        return () if self._earlier is None else self._earlier.processes

    async def prepare(self, steps: Sequence[Step]) -> None:
        """Raise where `steps` could not be performed; see ports.Plane."""
        for plane in self._all:
            await plane.prepare(steps)

    async def apply(self, steps: Sequence[Step]) -> None:
        """Have every plane perform its part, or none; see ports.Plane.

        A route is added to the planes behind first, and removed from the planes in front first: so
        a client that a front lets through is always accepted. Until all is done, `status` returns
        the state before.
        """
        self._before = await self._standing(steps)
        try:
            await self._apply(steps)
        finally:
            self._before = None

    async def _standing(self, steps: Sequence[Step]) -> _Before:
        """Return the state of the routes of `steps` while nothing has changed."""
        coming = frozenset(step.route.key for step in steps if isinstance(step, AddRoute))
        routes = [
            step.old if isinstance(step, ChangeRoute) else step.route
            for step in steps
            if not isinstance(step, AddRoute)
        ]
        known = {one.route.key: one for one in await self._in_pieces(self._now, routes)}
        return _Before(coming, known)

    async def look(self, routes: Sequence[Route]) -> list[RouteStatus]:
        """Return what `status` returns, with turns for other work of the loop where there are many
        routes.
        """
        return await self._in_pieces(self.status, routes)

    async def _in_pieces(
        self, status: Callable[[Sequence[Route]], Sequence[RouteStatus]], routes: Sequence[Route]
    ) -> list[RouteStatus]:
        found: list[RouteStatus] = []
        piece = Slice()
        for first in range(0, len(routes), _AT_ONCE):
            found += status(routes[first : first + _AT_ONCE])
            await piece.end()
        return found

    async def _apply(self, steps: Sequence[Step]) -> None:
        removals = tuple(step for step in steps if isinstance(step, RemoveRoute))
        others = tuple(step for step in steps if not isinstance(step, RemoveRoute))
        parts: list[tuple[Plane, Sequence[Step]]] = [
            *((front, removals) for front in reversed(self._fronts) if removals),
            (self._plane, steps),
            *((front, others) for front in self._fronts),
        ]
        for number, (plane, part) in enumerate(parts):
            try:
                await plane.apply(part)
            except AmbassadorError:
                for applied, done in reversed(parts[:number]):
                    await applied.apply(undo(done))
                raise
        if self._earlier is not None:
            await self._earlier.apply(steps)

    async def measure(self, routes: Sequence[Route] | None = None) -> None:
        """Bring the numbers of `status` up to date; a plane that cannot is left out."""
        for plane in self._all:
            try:
                await plane.measure(routes)
            except PlaneError as error:
                log.event(log.WARNING, "not_measured", str(error), plane=plane.name)

    def status(self, routes: Sequence[Route] | None = None) -> Sequence[RouteStatus]:
        """Return what is known of each of `routes`, or of all; see ports.Plane."""
        return self._of_host(self._told(routes))

    def ahead(self, routes: Sequence[Route]) -> Sequence[RouteStatus]:
        """Return what the plane that has each of `routes` says, without the numbers of the planes
        behind it: for thousands of routes, these take most of the time.
        """
        found: dict[RouteKey, RouteStatus] = {}
        for plane in (*reversed(self._fronts), self._plane):
            missing = [route for route in routes if route.key not in found]
            found.update((one.route.key, one) for one in plane.status(missing))
        return list(found.values())

    def _told(self, routes: Sequence[Route] | None) -> Sequence[RouteStatus]:
        found = self._now(routes)
        if self._before is None:
            return found
        coming, known = self._before
        here = [known.get(one.route.key, one) for one in found if one.route.key not in coming]
        keys = {one.route.key for one in here}
        wanted = known if routes is None else [route.key for route in routes]
        return here + [known[key] for key in wanted if key in known and key not in keys]

    def _now(self, routes: Sequence[Route] | None) -> list[RouteStatus]:
        """Return what the planes know now, which may be in the middle of a change."""
        statuses = list(self._plane.status(routes))
        if self._earlier is not None:
            routes = [status.route for status in statuses]
            before = {one.route.key: one for one in self._earlier.status(routes)}
            statuses = [
                _joined(before[key], one) if (key := one.route.key) in before else one
                for one in statuses
            ]
        for front in self._fronts:
            # By key: while steps are performed, one plane may have a route that another does not.
            ahead = {status.route.key: status for status in front.status(routes)}
            statuses = [
                _joined(behind, ahead[key]) if (key := behind.route.key) in ahead else behind
                for behind in statuses
            ]
        return statuses

    def foreseen(self, route: Route) -> tuple[str, str]:
        """Return which plane would carry new sessions of `route`, and why, as far as it is known
        beforehand.
        """
        why = ""
        for front in reversed(self._fronts):
            if not (why := front.hindrance(route)):
                return front.name, ""
        return self._plane.name, why

    async def sessions(self, routes: Sequence[Route] | None = None) -> Sequence[SessionStatus]:
        """Return the open sessions of all planes; see ports.Plane."""
        return [session for plane in self._all for session in await plane.sessions(routes)]

    async def cut(self, ids: Collection[str], reason: Reason) -> int:
        """End sessions in whatever plane they are; see ports.Plane. A plane that fails does not
        keep the others from it.
        """
        ended, failures = 0, list[str]()
        for plane in reversed(self._all):
            try:
                ended += await plane.cut(ids, reason)
            except PlaneError as error:
                failures.append(str(error))
        if failures:
            raise PlaneError("\n".join(failures))
        return ended

    def fence(self, route: Route) -> Callable[[], object]:
        """Let the planes in front pass nothing between clients of `route` and where it leads now;
        see ports.Front. Sessions of the plane behind are cut by `apply` just as soon.
        """
        ends = [front.fence(route) for front in self._fronts]

        def end() -> None:
            for one in ends:
                one()

        return end

    async def untold(self, ids: Collection[str]) -> str:
        """Return a text about sessions that were cut and whose ends could not be told; see
        ports.Front.
        """
        return "\n".join(filter(None, [await front.untold(ids) for front in self._fronts]))

    async def drain(self, grace: float) -> int:
        """Drain all planes at once; see ports.Plane."""
        return sum(await asyncio.gather(*(plane.drain(grace) for plane in reversed(self._all))))


def _joined(behind: RouteStatus, ahead: RouteStatus) -> RouteStatus:
    """Return what two planes know of one route; the one ahead decides about new sessions."""
    return replace(
        ahead,
        **_sums(behind, ahead, _NUMBERS),
        closed=_sum(behind.closed, ahead.closed),
        turned_away=_sum(behind.turned_away, ahead.turned_away),
        alike=behind.alike,
        open_by_endpoint=_sum(behind.open_by_endpoint, ahead.open_by_endpoint),
        ways_out=_sum(behind.ways_out, ahead.ways_out),
        met={
            address: _met(behind.met.get(address), ahead.met.get(address))
            for address in {**behind.met, **ahead.met}
        },
    )


def _met(behind: EndpointMet | None, ahead: EndpointMet | None) -> EndpointMet:
    """Return what clients met at one endpoint; the plane ahead has the latest state."""
    if behind is None or ahead is None:
        return behind or ahead or EndpointMet()
    latest = ahead if ahead.failed or not behind.failed else behind
    return replace(
        latest,
        **_sums(behind, ahead, _MET),
    )


def _sums(behind: object, ahead: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(behind, name) + getattr(ahead, name) for name in names}


def _sum(one: Mapping[_T, int], other: Mapping[_T, int]) -> Mapping[_T, int]:
    if one and other:
        return Counter(one) + Counter(other)
    return one or other
