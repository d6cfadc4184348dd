"""The state of all routes, and the one way to change it: plan, keep, have the planes apply.

One caller at a time: the reconciler makes sure of that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.control.stack import PlaneStack
from ambassador.control.telling import Teller
from ambassador.core.merge import check_endpoints
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step, plan
from ambassador.core.touched import route_as_wanted, touched
from ambassador.core.wish import Placed, Wish, difference, effective, judged
from ambassador.errors import AmbassadorError, StoreError
from ambassador.model import Address, Desired, Existing, Finding, Route, RouteKey
from ambassador.ports import StateStore
from ambassador.spec import format_address
from ambassador.spec.moments import format_moment

if TYPE_CHECKING:
    from ambassador.core.follow.lead import Lead

__all__ = ["Applier"]

_FEW = 20  # routes that are worked out on the loop


class Applier:
    """Brings `plane` to what sources, operator and probes want together. `installed` is called
    after each change, `admission` adds to each route the clients that may come in, `placed` its
    endpoints where they come from a service.
    """

    def __init__(
        self,
        plane: PlaneStack,
        store: StateStore | None,
        installed: Callable[[Sequence[Step]], Awaitable[None]] | None = None,
        admission: Callable[[Route], Route] = lambda route: route,
        placed: Placed = lambda route: route,
    ) -> None:
        self._admission = admission
        self._placed = placed
        self.desired = Desired()  # as the sources have it
        self.wishes: Mapping[RouteKey, Wish] = {}
        self.wished: Callable[[], None] = lambda: None  # called each time the wishes have changed
        self.verdicts: dict[tuple[RouteKey, Address], Finding] = {}
        self.leads: dict[RouteKey, Lead] = {}  # where followers lead routes
        # Leads also arrive while a command is at work: the planes make one change at a time.
        self.lock = asyncio.Lock()
        self.routes: tuple[Route, ...] = ()  # as the plane has them
        self._at: dict[RouteKey, int] = {}  # where in `routes` each is
        self._said: dict[RouteKey, Route] = {}  # each route in the sources, of `_applied`
        self._applied: tuple[Desired, Mapping[RouteKey, Wish]] = (self.desired, self.wishes)
        self._teller = Teller()
        self.changed = self._teller.changed
        self.unkept = ""  # why the store does not have these wishes; empty: it has them
        self._plane = plane
        self._store = store
        self._installed = installed

    def load(self) -> None:
        """Load what the operator wanted before. Raises ConfigError."""
        if self._store is not None:
            self.wishes = {wish.key: wish for wish in self._store.load()}
            self.wished()

    async def source(self, desired: Desired, who: str) -> Sequence[Step]:
        """Apply what the sources say now; on failure, what they said before stays."""
        steps = await self.apply(desired, self.wishes, who)
        self.desired = desired
        return steps

    async def judge(self, verdicts: Mapping[tuple[RouteKey, Address], Finding]) -> None:
        """Apply what follows from new verdicts of probes."""
        before = {place: self.verdicts.get(place, Finding()) for place in verdicts}
        self.verdicts.update(verdicts)
        what = "; ".join(map(_found, verdicts, verdicts.values()))
        keys = [key for key, _ in verdicts]
        try:
            await self.apply(self.desired, self.wishes, "health", what, judged=keys)
        except AmbassadorError:
            self.verdicts.update(before)
            raise

    async def admit(self, keys: Collection[RouteKey]) -> Sequence[Step]:
        """Apply what files of networks say now, for the routes `keys`. Raises PlaneError."""
        return await self.apply(self.desired, self.wishes, "networks", judged=keys)

    async def place(
        self, service: str, who: str, what: str, existing: Existing | None = None
    ) -> Sequence[Step]:
        """Apply where `service` is placed now, to all of its routes in one step; the sessions of
        endpoints that leave follow `existing` (None: the route's own policy). Raises PlaneError.
        """
        keys = [route.key for route in self.routes if route.service == service]
        once = dict.fromkeys(keys, existing) if existing is not None else None
        return await self.apply(self.desired, self.wishes, who, what, once, judged=keys)

    async def lead(self, key: RouteKey, lead: Lead) -> None:
        """Apply the lead of the follower of route `key`. Raises PlaneError; then all is as
        before.
        """
        async with self.lock:
            before = self.leads.get(key)
            self.leads[key] = lead
            try:
                await self._apply(self.desired, self.wishes, "follow", lead.why, None, judged=[key])
            except AmbassadorError:
                if before is None:
                    del self.leads[key]
                else:
                    self.leads[key] = before
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
        """Bring the planes to what `desired` and `wishes` mean together; in a change of a route in
        `once` its sessions follow the policy there. `judged` are the routes with new verdicts.
        """
        async with self.lock:
            return await self._apply(desired, wishes, who, what, once, judged=judged)

    async def _apply(
        self,
        desired: Desired,
        wishes: Mapping[RouteKey, Wish],
        who: str,
        what: str,
        once: Mapping[RouteKey, Existing] | None,
        *,
        judged: Collection[RouteKey],
    ) -> Sequence[Step]:
        # In a thread: thousands of routes take long, and sessions must not wait.
        few = len(wishes) + len(self.wishes) <= _FEW
        look = self._touched
        keys = look(desired, wishes) if few else await asyncio.to_thread(look, desired, wishes)
        if keys is None:
            routes, steps = await asyncio.to_thread(self._whole, desired, wishes)
            places, said = await asyncio.to_thread(_by_key, routes, desired.routes)
        elif len(keys) > _FEW:
            routes, steps = await asyncio.to_thread(self._part, keys | set(judged), wishes)
        else:
            routes, steps = self._part(keys | set(judged), wishes)
        if once:
            steps = tuple(
                replace(step, existing=once.get(step.new.key))
                if isinstance(step, ChangeRoute)
                else step
                for step in steps
            )
        await self._plane.prepare(steps)
        await self._plane.apply(steps)
        await asyncio.sleep(0)  # for thousands of routes, each of these steps takes long
        self.routes, self._applied = routes, (desired, wishes)
        if keys is None:
            self._at, self._said = places, said
        self._forget_verdicts(steps)
        if self._installed is not None:
            await self._installed(steps)
        await asyncio.sleep(0)
        await self._teller.tell(steps, self._plane.ahead, who, what)
        for step in steps:
            if isinstance(step, RemoveRoute):
                self.leads.pop(step.route.key, None)
        return steps

    def held_by(self, key: RouteKey) -> str:
        """Return which operator holds a route, and since when."""
        wish = self.wishes.get(key)
        if wish is None or wish.hold is None:
            if any(route.placed for route in self.installed(key)):
                return "waits for what stands in etcd"
            return f"waits for its primary: {lead.why}" if (lead := self.leads.get(key)) else "held"
        return f"held by {wish.who or 'operator'}, last changed at {format_moment(wish.when)}"

    @property
    def keeps(self) -> bool:
        """Whether wishes outlive the program."""
        return self._store is not None

    @property
    def gone(self) -> list[Route]:
        """The routes that are in the sources and that the operator has removed."""
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

    def check(self, wishes: Mapping[RouteKey, Wish]) -> Sequence[Step]:
        """Return the steps that `wishes` would need. Raises ConfigError where they make no
        sense.
        """
        keys = self._touched(self.desired, wishes)
        if keys is None:
            return self._whole(self.desired, wishes)[1]
        return self._part(keys, wishes)[1]

    def _touched(self, desired: Desired, wishes: Mapping[RouteKey, Wish]) -> set[RouteKey] | None:
        """Return the routes that the change touches; None: perhaps all."""
        desired_before, before = self._applied
        return touched(before, wishes) if desired is desired_before else None

    def _whole(
        self, desired: Desired, wishes: Mapping[RouteKey, Wish]
    ) -> tuple[tuple[Route, ...], tuple[Step, ...]]:
        wanted = judged(effective(desired, wishes, self.leads, self._placed), self.verdicts)
        routes = tuple(map(self._admission, wanted.routes))
        return routes, plan(self.routes, routes)

    def _part(
        self, keys: Collection[RouteKey], wishes: Mapping[RouteKey, Wish]
    ) -> tuple[tuple[Route, ...], tuple[Step, ...]]:
        routes, steps = list(self.routes), list[Step]()
        for place in sorted(self._at[key] for key in keys if key in self._at):
            old = routes[place]
            key = old.key
            said, wish = self._said.get(key), wishes.get(key)
            lead = self.leads.get(key)
            new = route_as_wanted(old, said, wish, self.verdicts, lead, placed=self._placed)
            new = self._admission(new)
            if new != old:
                routes[place] = new
                steps.append(ChangeRoute(old, new))
        check_endpoints([step.new for step in steps if isinstance(step, ChangeRoute)], routes)
        return tuple(routes), tuple(steps)

    def _forget_verdicts(self, steps: Sequence[Step]) -> None:
        """Drop the verdicts of endpoints that have left: if such an endpoint returns, it is
        unknown.
        """
        if not self.verdicts:
            return
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
        """Store `wishes` and apply them, or do neither. With `owed`, apply them also where they
        cannot be stored: `unkept` then says why, until `repay` or the next wish succeeds.
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
        self.wished()

    async def repay(self) -> None:
        """Try to store the wishes that are not stored."""
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


def _by_key(
    routes: Sequence[Route], said: Sequence[Route]
) -> tuple[dict[RouteKey, int], dict[RouteKey, Route]]:
    """Return the index of each of `routes`, and each of `said`, by its key; this takes 3 us
    each.
    """
    places = {route.key: place for place, route in enumerate(routes)}
    return places, {route.key: route for route in said}


def _found(place: tuple[RouteKey, Address], finding: Finding) -> str:
    """Return `db:6379 is healthy, but not at 10.0.0.2`."""
    but = f", but not at {', '.join(finding.down)}" if finding.down else ""
    return f"{format_address(place[1])} is {finding.health}{but}"
