"""The state of all routes, and the one way to change it: plan, keep, have the planes apply.

Not for two at once: the reconciler lets one change at a time in here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from ambassador import log
from ambassador.core.describe import describe
from ambassador.core.merge import check_endpoints
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step, plan
from ambassador.core.ranges import in_ranges
from ambassador.core.results import Changed
from ambassador.core.touched import route_as_wanted, touched
from ambassador.core.wish import Wish, difference, effective, judged
from ambassador.errors import AmbassadorError, StoreError
from ambassador.model import Address, Admin, Desired, Existing, Health, Inet, Route, RouteKey
from ambassador.ports import Plane, RouteStatus, StateStore
from ambassador.spec import format_address
from ambassador.spec.moments import format_moment
from ambassador.tasks import Slice

__all__ = ["Applier", "route_of"]


_TOLD = 20  # routes whose status is asked for at once


class Applier:
    """Brings `plane` to what sources, operator and probes want together; `installed` hears of each
    change.
    """

    def __init__(
        self,
        plane: Plane,
        store: StateStore | None,
        installed: Callable[[Sequence[Step]], None] = lambda _steps: None,
    ) -> None:
        self.desired = Desired()  # as the sources say
        self.wishes: Mapping[RouteKey, Wish] = {}
        self.verdicts: dict[tuple[RouteKey, Address], Health] = {}
        self.routes: tuple[Route, ...] = ()  # as the plane has them
        self._at: dict[RouteKey, int] = {}  # where in `routes` each is
        self._said: dict[RouteKey, Route] = {}  # as the sources say, of `_applied`
        self._applied: tuple[Desired, Mapping[RouteKey, Wish]] = (self.desired, self.wishes)
        self.changed: dict[RouteKey, Changed] = {}
        self._told: dict[RouteKey, tuple[str, str, str]] = {}  # the last line of each
        self.unkept = ""  # why the wishes are not in the store as they are; empty: they are
        self._plane = plane
        self._store = store
        self._installed = installed

    def load(self) -> None:
        """Take up what the operator wanted before. Raises ConfigError."""
        if self._store is not None:
            self.wishes = {wish.key: wish for wish in self._store.load()}

    async def source(self, desired: Desired, who: str) -> Sequence[Step]:
        """Go to what the sources say now; on failure what they said before stands."""
        steps = await self.apply(desired, self.wishes, who)
        self.desired = desired
        return steps

    async def judge(self, verdicts: Mapping[tuple[RouteKey, Address], Health]) -> None:
        """Go to what follows from what probes say anew."""
        before = {place: self.verdicts.get(place, Health.UNKNOWN) for place in verdicts}
        self.verdicts.update(verdicts)
        what = "; ".join(
            f"{format_address(address)} is {health}" for (_, address), health in verdicts.items()
        )
        keys = [key for key, _ in verdicts]
        try:
            await self.apply(self.desired, self.wishes, "health", what, judged=keys)
        except AmbassadorError:
            self.verdicts.update(before)
            raise

    async def apply(
        self,
        desired: Desired,
        wishes: Mapping[RouteKey, Wish],
        who: str,
        what: str = "",
        once: Mapping[RouteKey, Existing] | None = None,
        *,
        judged: Collection[RouteKey] = (),
    ) -> Sequence[Step]:
        """Bring the planes to what `desired` and `wishes` come to; in a change of a route of
        `once` its sessions follow that policy. `judged` are the routes of new verdicts.
        """
        keys = self._touched(desired, wishes)
        if keys is None:
            # In a thread: of thousands of routes it takes long, and sessions shall not wait.
            routes, steps = await asyncio.to_thread(self._whole, desired, wishes)
        else:
            routes, steps = self._part(keys | set(judged), wishes)
        piece = Slice()
        if once:
            steps = tuple(
                replace(step, existing=once.get(step.new.key))
                if isinstance(step, ChangeRoute)
                else step
                for step in steps
            )
        await self._plane.prepare(steps)
        await self._plane.apply(steps)
        self.routes, self._applied = routes, (desired, wishes)
        if keys is None:
            self._at = {route.key: place for place, route in enumerate(routes)}
            self._said = {route.key: route for route in desired.routes}
        self._forget_verdicts(steps)
        self._installed(steps)
        lines: list[tuple[int, str]] = []  # for people, put together where there are many
        for first in range(0, len(steps), _TOLD):
            told = steps[first : first + _TOLD]
            there = [route_of(step) for step in told if not isinstance(step, RemoveRoute)]
            statuses = {one.route.key: one for one in self._plane.status(there)}
            for step in told:
                await piece.end()
                route = route_of(step)
                key, line = route.key, describe(route)
                text = self._say(step, line, statuses.get(key), many=len(steps) > 1)
                if text:
                    port = route.listen.port if isinstance(route.listen, Inet) else 0
                    lines.append((port, text))
                if isinstance(step, RemoveRoute):
                    self.changed.pop(key, None)
                else:
                    self.changed[key] = Changed(time.time(), who, what or line)
        # In a thread: of thousands of routes it takes long, and sessions shall not wait.
        few = len(lines) <= _TOLD
        if lines and log.summarised():
            for text in in_ranges(lines) if few else await asyncio.to_thread(in_ranges, lines):
                await piece.end()
                log.summary(log.INFO, text)
        return steps

    def held_by(self, key: RouteKey) -> str:
        """Return who holds a route, and since when."""
        wish = self.wishes.get(key)
        if wish is None or wish.hold is None:
            return "held"
        return f"held by {wish.who or 'operator'}, last changed at {format_moment(wish.when)}"

    @property
    def keeps(self) -> bool:
        """Whether wishes outlive the program."""
        return self._store is not None

    @property
    def gone(self) -> list[Route]:
        """The routes that the sources say and the operator has removed."""
        return [
            self._said[key]
            for key, wish in self.wishes.items()
            if wish.removed and key in self._said
        ]

    def installed(self, key: RouteKey) -> Sequence[Route]:
        """Return the route `key` as it is now; nothing where it is not installed."""
        place = self._at.get(key)
        return () if place is None else (self.routes[place],)

    def has(self, key: RouteKey, address: Address) -> bool:
        """Return whether a route that is installed has an endpoint at `address`."""
        return any(
            endpoint.address == address
            for route in self.installed(key)
            for endpoint in route.endpoints
        )

    def check(self, wishes: Mapping[RouteKey, Wish]) -> None:
        """Raise ConfigError where `wishes` make no sense."""
        keys = self._touched(self.desired, wishes)
        if keys is None:
            self._whole(self.desired, wishes)
        else:
            self._part(keys, wishes)

    def _touched(self, desired: Desired, wishes: Mapping[RouteKey, Wish]) -> set[RouteKey] | None:
        """Return whom it is about; None: perhaps everybody."""
        desired_before, before = self._applied
        return touched(before, wishes) if desired is desired_before else None

    def _whole(
        self, desired: Desired, wishes: Mapping[RouteKey, Wish]
    ) -> tuple[tuple[Route, ...], tuple[Step, ...]]:
        routes = judged(effective(desired, wishes), self.verdicts).routes
        return routes, plan(self.routes, routes)

    def _part(
        self, keys: Collection[RouteKey], wishes: Mapping[RouteKey, Wish]
    ) -> tuple[tuple[Route, ...], tuple[Step, ...]]:
        routes, steps = list(self.routes), list[Step]()
        for place in sorted(self._at[key] for key in keys if key in self._at):
            old = routes[place]
            key = old.key
            new = route_as_wanted(old, self._said.get(key), wishes.get(key), self.verdicts)
            if new != old:
                routes[place] = new
                steps.append(ChangeRoute(old, new))
        check_endpoints([step.new for step in steps if isinstance(step, ChangeRoute)], routes)
        return tuple(routes), tuple(steps)

    def _forget_verdicts(self, steps: Sequence[Step]) -> None:
        """An endpoint that comes back later is not known any longer."""
        for step in steps:
            if isinstance(step, AddRoute):
                continue
            before = step.old if isinstance(step, ChangeRoute) else step.route
            key = before.key
            place = self._at.get(key)
            here = () if place is None else self.routes[place].endpoints
            stays = {endpoint.address for endpoint in here}
            for endpoint in before.endpoints:
                if endpoint.address not in stays:
                    self.verdicts.pop((key, endpoint.address), None)

    async def wish(
        self,
        wishes: Mapping[RouteKey, Wish],
        who: str,
        what: str,
        once: Mapping[RouteKey, Existing] | None = None,
        *,
        owed: bool = False,
    ) -> None:
        """Keep `wishes` and apply them, or do neither; with `owed` apply them also where they
        cannot be kept: `unkept` then says why, until `repay` or the next wish can.
        """
        if wishes != self.wishes or self.unkept:
            try:
                await self._keep(wishes)
            except StoreError as error:
                if not owed:
                    raise
                self.unkept = str(error)
                log.event(log.ERROR, "not_kept", f"{what}, but not kept: {error}")
        try:
            await self.apply(self.desired, wishes, who, what, once)
        except AmbassadorError:
            try:
                await self._keep(self.wishes)
            except StoreError as error:
                log.event(log.ERROR, "not_kept", str(error))
            raise
        self.wishes = wishes

    async def repay(self) -> None:
        """Try to keep what is owed to the store."""
        if self.unkept:
            try:
                await self._keep(self.wishes)
            except StoreError as error:
                self.unkept = str(error)
            else:
                log.event(log.INFO, "kept", "the operator's changes are kept now")

    async def _keep(self, wishes: Mapping[RouteKey, Wish]) -> None:
        if self._store is not None:
            await asyncio.to_thread(self._store.save, tuple(wishes.values()))
        self.unkept = ""

    def differs(self, key: RouteKey) -> str:
        """Return how a route differs from what the sources say, for people."""
        wish = self.wishes.get(key)
        if wish is None:
            return ""
        return difference(self._said.get(key), wish)

    def _is_told(self, step: Step, line: str, plane: str, why: str) -> bool:
        """Return whether the line of a route says what it said before, where only the operator or
        the probes have changed something: they are told by lines of their own.
        """
        key, now = route_of(step).key, (line, plane, why)
        before, self._told[key] = self._told.get(key), now
        if isinstance(step, RemoveRoute):
            del self._told[key]
        return (
            isinstance(step, ChangeRoute)
            and before == now
            and _as_said(step.old) == _as_said(step.new)
        )

    def _say(self, step: Step, line: str, status: RouteStatus | None, *, many: bool) -> str:
        """Log what a step has done; with `many`, return the sentence for people instead."""
        route = route_of(step)
        plane, why = (status.plane, status.why) if status else ("", "")
        end = f"plane {plane} ({why})" if why else f"plane {plane}"
        if self._is_told(step, line, plane, why):
            return ""
        match step:
            case AddRoute():
                name = "route_started"
            case ChangeRoute():
                name = "route_changed"
            case RemoveRoute():
                name, end = "route_removed", "removed"
        tell, text = log.one_of_many if many else log.event, f"{line}  {end}"
        tell(
            log.INFO,
            name,
            text,
            route=route.name,
            line=line,
            plane=plane,
            why=why,
            origin=route.origin,
        )
        return text if many else ""


def _as_said(route: Route) -> Route:
    """Return `route` without what the operator and the probes say of it."""
    endpoints = tuple(
        replace(endpoint, admin=Admin.READY, health=Health.UNKNOWN) for endpoint in route.endpoints
    )
    return replace(route, endpoints=endpoints, hold=None)


def route_of(step: Step) -> Route:
    """Return the route `step` is about."""
    return step.new if isinstance(step, ChangeRoute) else step.route
