"""The open flows of routes, as sessions that can be listed and cut."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from time import time

from ambassador.planes.kernel.entry import Address, Flow
from ambassador.planes.kernel.flows import Flows
from ambassador.planes.kernel.route import KernelRoute
from ambassador.planes.kernel.ruleset import Port
from ambassador.ports import SessionStatus

__all__ = ["ID", "Listed", "open_flows"]

ID = "k"  # begins what flows are called
_FRESH = 1.0  # seconds for which what was listed is kept


class Listed:
    """The flows that were listed last, for a moment: who cuts what was listed just now does not
    list it again. An entry is named by its own id: one that has ended meanwhile is not there.
    """

    def __init__(self) -> None:
        self._flows: dict[str, Flow] = {}
        self._timer: asyncio.TimerHandle | None = None

    def keep(self, found: Sequence[tuple[SessionStatus, Flow]]) -> None:
        """`found` is what there is."""
        self.forget()
        self._flows = {view.id: flow for view, flow in found}
        self._timer = asyncio.get_running_loop().call_later(_FRESH, self._flows.clear)

    async def flows(
        self, ids: Collection[str], anew: Callable[[], Awaitable[object]]
    ) -> list[Flow]:
        """Return the flows of `ids`; where one is not listed, all are listed `anew` before."""
        wanted = [one for one in ids if one.startswith(ID)]
        if any(one not in self._flows for one in wanted):
            await anew()
        return [self._flows[one] for one in wanted if one in self._flows]

    def forget(self) -> None:
        """Nothing is listed."""
        self._flows = {}
        if self._timer is not None:
            self._timer.cancel()


async def open_flows(
    flows: Flows, counted: Sequence[KernelRoute]
) -> Sequence[tuple[SessionStatus, Flow]]:
    """Return the open flows of `counted`, also the flows to addresses that have left; a route
    forgets addresses that have left once no flow leads there. Where several are of one port, the
    first of them that has led to an address has its flows.
    """
    if not counted:
        return []
    by_port: dict[Port, list[KernelRoute]] = defaultdict(list)
    belonging: dict[Port, set[Address]] = defaultdict(set)
    for kernel_route in counted:
        for port in kernel_route.ports:
            by_port[port].append(kernel_route)
            belonging[port] |= kernel_route.belongs | kernel_route.belonged
    now = time()
    found: list[tuple[SessionStatus, Flow]] = []
    remaining: dict[KernelRoute, set[Address]] = {kernel_route: set() for kernel_route in counted}
    for flow in await flows.open_flows(belonging):
        for kernel_route in by_port[flow.proto, flow.listen[1]]:
            if flow.upstream in kernel_route.belongs or flow.upstream in kernel_route.belonged:
                remaining[kernel_route].add(flow.upstream)
                found.append((kernel_route.view(flow, now), flow))
                break
    for kernel_route, upstreams in remaining.items():
        kernel_route.belonged &= upstreams
    return found
