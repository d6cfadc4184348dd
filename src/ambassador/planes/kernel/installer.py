"""Install the ways that routes want, in one transaction, then end flows as departures require."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from ambassador import log
from ambassador.core.departure import Departure, cause
from ambassador.errors import PlaneError, UnsureError
from ambassador.model import Existing, Fate, Proto, Reason
from ambassador.planes.kernel.entry import Address
from ambassador.planes.kernel.flows import Flows
from ambassador.planes.kernel.life import Event
from ambassador.planes.kernel.route import KernelRoute
from ambassador.planes.kernel.ruleset import Key, Way
from ambassador.planes.kernel.stops import Stop
from ambassador.planes.kernel.table import Table
from ambassador.planes.kernel.transaction import Change
from ambassador.tasks import Slice

__all__ = ["Installer"]

# For addresses that new flows cannot reach at the moment: only flows without an answer end.
_SILENT = Departure(Reason.UNREACHABLE, Existing())
# With more departures, one look for all finds out first which routes have flows at all.
_MANY = 8


class _Goal(NamedTuple):
    """The ways that a route is to have, and the addresses that then belong to it."""

    kernel_route: KernelRoute
    ways: dict[Key, Way]
    belongs: frozenset[Address]


# A goal that is reached, and the ways and addresses from before.
_Before = tuple[_Goal, dict[Key, Way], frozenset[Address]]


class Installer:
    """Installs routes of the kernel; callers have to make one call at a time."""

    def __init__(self, table: Table, flows: Flows) -> None:
        self._table = table
        self._flows = flows
        self._stopped: set[Stop] = set()  # flows that are stopped, until `lift`
        self.flows_stopped: Callable[[], None] = _nobody  # called after each that stops flows

    async def settle(
        self,
        touched: Sequence[KernelRoute],
        removed: Sequence[KernelRoute] = (),
        *,
        strict: bool = False,
    ) -> bool:
        """Install the ways that `touched` routes want, and remove those of `removed` routes.

        Where the transaction fails, raise PlaneError with nothing changed if `strict`; else leave
        these routes to the relay, log it and return False; where not even their ways can be
        removed, raise PlaneError with nothing changed.
        """
        change, goals = await self._plan(touched, removed)
        try:
            await self._table.commit(change)
        except PlaneError as error:
            if strict or isinstance(error, UnsureError):
                raise
            await self._leave_to_relay(touched, removed, str(error))
            return False
        self._stopped = (self._stopped | change.stopped) - change.resumed
        if change.stopped:
            self.flows_stopped()
        before = [(goal, goal.kernel_route.ways, goal.kernel_route.belongs) for goal in goals]
        self._note(goals)
        await self._see_off_and_tell(before, removed)
        return True

    async def _see_off_and_tell(
        self, before: Sequence[_Before], removed: Sequence[KernelRoute]
    ) -> None:
        try:
            await self._see_off(before, removed)
        except PlaneError as error:
            log.event(
                log.WARNING,
                "flows_left",
                f"open flows to endpoints that left their route go on: {error}",
                reason=str(error),
            )

    async def withdraw(self, routes: Sequence[KernelRoute]) -> None:
        """Let new clients of these routes reach the relay; open flows go on, and are counted."""
        change = Change()
        for one in routes:
            change.before.update(one.ways)
        await self._table.commit(change)
        now = asyncio.get_running_loop().time()
        for one in routes:
            one.settled({}, one.belongs, now)

    async def lift(self) -> None:
        """Remove the rules that stop flows. Raises PlaneError."""
        self._stopped.clear()
        await self._table.lift()

    async def see_off(self, kernel_route: KernelRoute, gone: Collection[Address]) -> None:
        """End flows to the addresses `gone`, which do not belong to the route, as its policy says.
        Raises PlaneError.
        """
        for why, some in kernel_route.leaving(gone).items():
            await self._flows.left(kernel_route.route, kernel_route.ports, some, why)

    async def _plan(
        self, touched: Iterable[KernelRoute], removed: Iterable[KernelRoute]
    ) -> tuple[Change, list[_Goal]]:
        change, goals = Change(), []
        for kernel_route in removed:
            change.before.update(kernel_route.ways)
            if kernel_route.counted:
                change.uncounted += kernel_route.ports
        turn = Slice()
        for kernel_route in touched:
            wanted = kernel_route.wanted()
            goals.append(_Goal(kernel_route, wanted, kernel_route.belonging()))
            for key, way in kernel_route.ways.items():
                if wanted.get(key) != way:
                    change.before[key] = way
            for key, way in wanted.items():
                if kernel_route.ways.get(key) != way:
                    change.after[key] = way
            change.stopped |= _stops(kernel_route, goals[-1].belongs)
            if not kernel_route.refusal and not kernel_route.counted:
                change.counted += kernel_route.ports
            # Where it leads as before, refusals stay as they are, and nft has nothing to do.
            if kernel_route.forgive and wanted != kernel_route.ways:
                change.forgiven += kernel_route.ports
            await turn.end()
        change.resumed = self._stopped.intersection(
            Stop(way.port, share.address, share.port)
            for goal in goals
            for way in goal.ways.values()
            for share in way.shares
        )
        return change, goals

    async def reinstall(self, routes: Sequence[KernelRoute]) -> bool:
        """Install `routes`, which are all, again, whatever the table has now; see `settle`."""
        await self._table.look_again()
        for kernel_route in routes:
            kernel_route.ways = {}
            kernel_route.happened(Event.LOST)
        return await self.settle(routes)

    async def _leave_to_relay(
        self, touched: Sequence[KernelRoute], removed: Sequence[KernelRoute], reason: str
    ) -> None:
        """Leave routes to the relay whose rules could not be installed."""
        refusals = [kernel_route.refusal for kernel_route in touched]
        for kernel_route in touched:
            kernel_route.refusal = reason
        change, goals = await self._plan(touched, removed)
        try:
            await self._table.commit(change)
        except PlaneError:
            for kernel_route, refusal in zip(touched, refusals, strict=True):
                kernel_route.refusal = refusal
            raise
        self._note(goals)
        news = [kernel_route for kernel_route in touched if kernel_route.refused != reason]
        for kernel_route in news:
            kernel_route.refused = reason
        if news:
            names = ", ".join(kernel_route.route.name for kernel_route in news[:3])
            more = f" and {len(news) - 3} more" if len(news) > 3 else ""
            log.event(
                log.WARNING,
                "rules_refused",
                f"{names}{more}  left to the relay: {reason}",
                routes=len(news),
                reason=reason,
            )
        await self._see_off_and_tell([], removed)

    def _note(self, goals: Iterable[_Goal]) -> None:
        """Note in the routes what has been installed."""
        now = asyncio.get_running_loop().time()
        for kernel_route, wanted, belongs in goals:
            kernel_route.settled(wanted, belongs, now)

    async def _see_off(
        self,
        before: Sequence[_Before],
        removed: Sequence[KernelRoute],
    ) -> None:
        """End flows to addresses that new flows no longer reach.

        Where an address does not belong to the route any longer, they follow its policy. Where it
        only cannot be reached, flows that it has never answered end.
        """
        leaving: list[tuple[KernelRoute, frozenset[Address], Departure]] = []
        resting: dict[KernelRoute, frozenset[Address]] = {}
        for goal, ways, belonged in before:
            kernel_route = goal.kernel_route
            if belonged and (back := goal.belongs - belonged):
                self._flows.back(kernel_route.route.proto, kernel_route.ports, back)
            if kernel_route.refusal:
                continue
            gone = (belonged | kernel_route.judged()) - goal.belongs
            silent = _led_to(ways) - _led_to(goal.ways) - gone
            if gone:
                for why, some in kernel_route.leaving(gone).items():
                    leaving.append((kernel_route, some, why))
            kernel_route.once = None
            if silent:
                resting[kernel_route] = silent & kernel_route.resting()
                leaving.append((kernel_route, silent - resting[kernel_route], _SILENT))
        leaving += [(one, one.belongs, cause(None, one.route, removed=True)) for one in removed]
        leaving = [one for one in leaving if one[1]]
        if len(leaving) > _MANY:
            ports = {port for one, _, _ in leaving for port in one.ports}
            unanswered = all(
                why.existing.fate is Fate.KEEP and one.route.proto is Proto.TCP
                for one, _, why in leaving
            )
            used = await self._flows.used(ports, unanswered=unanswered)
            leaving = [one for one in leaving if not used.isdisjoint(one[0].ports)]
        for kernel_route, gone, why in leaving:
            await self._flows.left(kernel_route.route, kernel_route.ports, gone, why)
        for kernel_route, rest in resting.items():
            if rest:
                await self._flows.rest(kernel_route.route, kernel_route.ports, rest)


def _stops(kernel_route: KernelRoute, belongs: frozenset[Address]) -> set[Stop]:
    """Return which open flows to stop when only `belongs` belongs to the route: flows to an earlier
    primary that are to be cut at once.
    """
    gone = kernel_route.belongs - belongs
    if not gone or kernel_route.refusal or kernel_route.route.proto is Proto.UDP:
        return set()
    return {
        Stop(port, address, upstream)
        for why, some in kernel_route.leaving(gone).items()
        if why.reason is Reason.DEMOTED and why.existing.fate is Fate.CUT and not why.existing.rate
        for address, upstream in some
        for _, port in kernel_route.ports
    }


def _nobody() -> None:
    """Do nothing."""


def _led_to(ways: dict[Key, Way]) -> frozenset[Address]:
    return frozenset((s.address, s.port) for way in ways.values() for s in way.shares)
