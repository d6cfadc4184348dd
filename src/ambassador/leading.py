"""The state of all routes, and the one way to change it: plan, keep, have the planes apply.

Not for two at once: the reconciler lets one change at a time in here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ambassador import log
from ambassador.core.describe import describe
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step, plan
from ambassador.core.results import Changed
from ambassador.core.wish import Key, Wish, difference, effective, judged, key_of
from ambassador.errors import AmbassadorError, StoreError
from ambassador.model import Address, Desired, Existing, Health, Route
from ambassador.ports import Plane, RouteStatus, StateStore

__all__ = ["Leading", "route_of"]


class Leading:
    """Leads `plane` to what sources, operator and probes want together; `installed` hears of all
    routes after each change.
    """

    def __init__(
        self,
        plane: Plane,
        store: StateStore | None,
        installed: Callable[[Sequence[Route]], None] = lambda _routes: None,
    ) -> None:
        self.desired = Desired()  # as the sources say
        self.wishes: Mapping[Key, Wish] = {}
        self.verdicts: Mapping[tuple[Key, Address], Health] = {}
        self.routes: tuple[Route, ...] = ()  # as the plane has them
        self.changed: dict[Key, Changed] = {}
        self._plane = plane
        self._store = store
        self._installed = installed

    def load(self) -> None:
        """Take up what the operator wanted before. Raises ConfigError."""
        if self._store is not None:
            self.wishes = {wish.key: wish for wish in self._store.load()}

    async def source(self, desired: Desired, who: str) -> Sequence[Step]:
        """Lead to what the sources say now; on failure what they said before stands."""
        steps = await self.lead_to(desired, self.wishes, who)
        self.desired = desired
        return steps

    async def judge(self, verdicts: Mapping[tuple[Key, Address], Health]) -> None:
        """Lead to what follows from what probes say."""
        former, self.verdicts = self.verdicts, verdicts
        try:
            await self.lead_to(self.desired, self.wishes, "health")
        except AmbassadorError:
            self.verdicts = former
            raise

    async def lead_to(
        self,
        desired: Desired,
        wishes: Mapping[Key, Wish],
        who: str,
        what: str = "",
        once: Mapping[Key, Existing] | None = None,
    ) -> Sequence[Step]:
        """Lead the planes to what `desired` and `wishes` come to; in a change of a route of
        `once` its sessions follow that policy.
        """
        wanted = self.effective(desired, wishes)
        steps = plan(self.routes, wanted.routes)
        if once:
            steps = tuple(
                replace(step, existing=once.get(key_of(step.new)))
                if isinstance(step, ChangeRoute)
                else step
                for step in steps
            )
        await self._plane.prepare(steps)
        await self._plane.apply(steps)
        self.routes = wanted.routes
        self._forget_verdicts()
        self._installed(self.routes)
        there = [route_of(step) for step in steps if not isinstance(step, RemoveRoute)]
        statuses = iter(self._plane.status(there))
        for step in steps:
            self._say(step, None if isinstance(step, RemoveRoute) else next(statuses))
            key = key_of(route_of(step))
            if isinstance(step, RemoveRoute):
                self.changed.pop(key, None)
            else:
                line = what or describe(route_of(step))
                self.changed[key] = Changed(time.time(), who, line)
        return steps

    def has(self, key: Key, address: Address) -> bool:
        """Return whether a route that is installed has an endpoint at `address`."""
        return any(
            key_of(route) == key and endpoint.address == address
            for route in self.routes
            for endpoint in route.endpoints
        )

    def _forget_verdicts(self) -> None:
        """An endpoint that comes back later is not known any longer."""
        if self.verdicts:
            self.verdicts = {
                place: health for place, health in self.verdicts.items() if self.has(*place)
            }

    async def wish(
        self,
        wishes: Mapping[Key, Wish],
        who: str,
        what: str,
        once: Mapping[Key, Existing] | None = None,
    ) -> None:
        """Keep `wishes` and lead to them, or do neither."""
        if wishes != self.wishes:
            await self._keep(wishes)
        try:
            await self.lead_to(self.desired, wishes, who, what, once)
        except AmbassadorError:
            try:
                await self._keep(self.wishes)
            except StoreError as error:
                log.event(log.ERROR, "not_kept", str(error))
            raise
        self.wishes = wishes

    async def _keep(self, wishes: Mapping[Key, Wish]) -> None:
        if self._store is not None:
            await asyncio.to_thread(self._store.save, tuple(wishes.values()))

    def effective(self, desired: Desired, wishes: Mapping[Key, Wish]) -> Desired:
        """Return what the plane shall have. Raises ConfigError."""
        return judged(effective(desired, wishes), self.verdicts)

    def differs(self, key: Key) -> str:
        """Return how a route differs from what the sources say, for people."""
        wish = self.wishes.get(key)
        if wish is None:
            return ""
        said = next((route for route in self.desired.routes if key_of(route) == key), None)
        return difference(said, wish)

    def _say(self, step: Step, status: RouteStatus | None) -> None:
        route, line = route_of(step), describe(route_of(step))
        plane, why = (status.plane, status.why) if status else ("", "")
        end = f"plane {plane} ({why})" if why else f"plane {plane}"
        match step:
            case AddRoute():
                name = "route_started"
            case ChangeRoute():
                name = "route_changed"
            case RemoveRoute():
                name, end = "route_removed", "removed"
        log.event(
            log.INFO,
            name,
            f"{line}  {end}",
            route=route.name,
            line=line,
            plane=plane,
            why=why,
            origin=route.origin,
        )


def route_of(step: Step) -> Route:
    """Return the route `step` is about."""
    return step.new if isinstance(step, ChangeRoute) else step.route
