"""Lead what is installed to what is wanted, in one transaction, and see to the flows it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import NamedTuple

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.model import Existing, Fate, Proto
from ambassador.planes.kernel.eligible import Abilities
from ambassador.planes.kernel.entry import Address
from ambassador.planes.kernel.flows import Flows
from ambassador.planes.kernel.route import KernelRoute
from ambassador.planes.kernel.ruleset import Key, Way
from ambassador.planes.kernel.table import Change, Table

__all__ = ["Installer"]

# Seconds of work before other work of the loop has its turn; not by the loop's clock, which
# uvloop reads once a turn.
_SLICE = 0.005
_KEEP = Existing()
# Above, one question for all tells which routes have flows at all.
_MANY = 8


class _Goal(NamedTuple):
    """What a route shall have, and to whom it then leads."""

    carried: KernelRoute
    ways: dict[Key, Way]
    belongs: frozenset[Address]


class Installer:
    """Works on carried routes; the caller lets one do so at a time."""

    def __init__(self, table: Table, flows: Flows, abilities: Abilities) -> None:
        self._table = table
        self._flows = flows
        self._families = [
            ipv6
            for ipv6, hindrance in ((False, abilities.no_ipv4), (True, abilities.no_ipv6))
            if not hindrance
        ]

    async def settle(
        self,
        touched: Sequence[KernelRoute],
        removed: Sequence[KernelRoute] = (),
        *,
        strict: bool = False,
    ) -> None:
        """Install what `touched` routes want and take away what is `removed`.

        Where the transaction fails, raise PlaneError with nothing changed if `strict`; else leave
        these routes to the relay and say so.
        """
        change, goals = await self._plan(touched, removed)
        try:
            await self._table.commit(change)
        except PlaneError as error:
            if strict:
                raise
            await self._give_up(touched, removed, str(error))
            return
        former = [(goal, goal.carried.ways, goal.carried.belongs) for goal in goals]
        self._note(goals)
        try:
            await self._see_off(former, removed)
        except PlaneError as error:
            log.event(
                log.WARNING,
                "flows_left",
                f"open flows to endpoints that left their route go on: {error}",
                reason=str(error),
            )

    async def withdraw(self, carried: Sequence[KernelRoute]) -> None:
        """Let new clients of these routes reach the relay; open flows go on, and are counted."""
        change = Change()
        for one in carried:
            change.before.update(one.ways)
        await self._table.commit(change)
        for one in carried:
            one.ways = {}

    async def _plan(
        self, touched: Iterable[KernelRoute], removed: Iterable[KernelRoute]
    ) -> tuple[Change, list[_Goal]]:
        change, goals = Change(), []
        for carried in removed:
            change.before.update(carried.ways)
            if carried.counted:
                change.uncounted += carried.ports
        pause = monotonic() + _SLICE
        for carried in touched:
            wanted = carried.wanted(self._families)
            goals.append(_Goal(carried, wanted, carried.belonging()))
            for key, way in carried.ways.items():
                if wanted.get(key) != way:
                    change.before[key] = way
            for key, way in wanted.items():
                if carried.ways.get(key) != way:
                    change.after[key] = way
            if not carried.refusal and not carried.counted:
                change.counted += carried.ports
            if carried.forgive and carried.route.proto is Proto.TCP:
                change.forgiven += [port for _, port in carried.ports]
            if monotonic() > pause:
                await asyncio.sleep(0)
                pause = monotonic() + _SLICE
        return change, goals

    async def _give_up(
        self, touched: Sequence[KernelRoute], removed: Sequence[KernelRoute], reason: str
    ) -> None:
        """Leave routes to the relay whose rules could not be installed."""
        names = ", ".join(carried.route.name for carried in touched[:3])
        more = f" and {len(touched) - 3} more" if len(touched) > 3 else ""
        log.event(
            log.WARNING,
            "rules_refused",
            f"{names}{more}  left to the relay: {reason}",
            routes=len(touched),
            reason=reason,
        )
        for carried in touched:
            carried.refusal = reason
        change, goals = await self._plan(touched, removed)
        try:
            await self._table.commit(change)
        except PlaneError as error:
            log.event(log.ERROR, "rules_left", f"the former rules stay as they were: {error}")
        else:
            self._note(goals)

    def _note(self, goals: Iterable[_Goal]) -> None:
        """Take over what has been installed."""
        for carried, installed, belongs in goals:
            carried.former = (carried.former | carried.belongs) - belongs
            carried.ways, carried.belongs = installed, belongs
            carried.counted |= not carried.refusal
            carried.forgive = False

    async def _see_off(
        self,
        former: Sequence[tuple[_Goal, dict[Key, Way], frozenset[Address]]],
        removed: Sequence[KernelRoute],
    ) -> None:
        """See to the flows of addresses that new flows no longer reach.

        Those of an address that does not belong to the route any longer follow its policy; one
        that only cannot be reached loses the flows it has never answered.
        """
        leaving: list[tuple[KernelRoute, frozenset[Address], Existing]] = []
        resting: dict[KernelRoute, frozenset[Address]] = {}
        for goal, ways, belonged in former:
            carried = goal.carried
            if belonged and (back := goal.belongs - belonged):
                self._flows.back(carried.route.proto, carried.ports, back)
            if carried.refusal:
                continue
            gone = belonged - goal.belongs
            silent = _led_to(ways) - _led_to(goal.ways) - gone
            existing, carried.once = carried.once or carried.route.existing, None
            resting[carried] = silent & carried.resting()
            silent -= resting[carried]
            leaving += [(carried, gone, existing), (carried, silent, _KEEP)]
        leaving += [(carried, carried.belongs, carried.route.existing) for carried in removed]
        leaving = [one for one in leaving if one[1]]
        if len(leaving) > _MANY:
            ports = {port for one, _, _ in leaving for port in one.ports}
            unanswered = all(
                existing.fate is Fate.KEEP and one.route.proto is Proto.TCP
                for one, _, existing in leaving
            )
            used = await self._flows.used(ports, unanswered=unanswered)
            leaving = [one for one in leaving if not used.isdisjoint(one[0].ports)]
        for carried, gone, existing in leaving:
            await self._flows.left(carried.route, carried.ports, gone, existing)
        for carried, rest in resting.items():
            if rest:
                await self._flows.rest(carried.route, carried.ports, rest)


def _led_to(ways: dict[Key, Way]) -> frozenset[Address]:
    return frozenset((s.address, s.port) for way in ways.values() for s in way.shares)
