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

ID = "k"  # ids of flows begin with it
_FRESH = 1.0  # seconds for which listed flows are kept


class Listed:
    """The flows that were listed last, kept for a moment: so a cut of flows that were listed just
    now needs no second listing. Each entry of conntrack has its own id: if a flow has ended
    meanwhile, no other flow is cut in its place.
    """

    def __init__(self) -> None:
        self._flows: dict[str, Flow] = {}
        self._timer: asyncio.TimerHandle | None = None

    def keep(self, found: Sequence[tuple[SessionStatus, Flow]]) -> None:
        """Keep `found`, all open flows, for a moment."""
        self.forget()
        self._flows = {view.id: flow for view, flow in found}
        self._timer = asyncio.get_running_loop().call_later(_FRESH, self._flows.clear)

    async def flows(
        self, ids: Collection[str], anew: Callable[[], Awaitable[object]]
    ) -> list[Flow]:
        """Return the flows of `ids`; where an id is not listed, list all flows `anew` first."""
        wanted = [one for one in ids if one.startswith(ID)]
        if any(one not in self._flows for one in wanted):
            await anew()
        return [self._flows[one] for one in wanted if one in self._flows]

    def forget(self) -> None:
        """Drop the listed flows."""
        self._flows = {}
        if self._timer is not None:
            self._timer.cancel()


async def open_flows(
    flows: Flows, counted: Sequence[KernelRoute]
) -> Sequence[tuple[SessionStatus, Flow]]:
    """Return the open flows of the routes `counted`, also flows to addresses that have left; a
    route forgets such an address when no flow leads there. Where several routes have the same port,
    a flow is of the first that leads, or has led, to its upstream.
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
