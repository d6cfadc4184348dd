"""The open flows of routes, as sessions that can be listed and cut."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from time import time

from ambassador.planes.kernel.entry import Address, Flow
from ambassador.planes.kernel.flows import Flows
from ambassador.planes.kernel.route import KernelRoute
from ambassador.planes.kernel.ruleset import Port
from ambassador.ports import SessionStatus

__all__ = ["ID", "open_flows"]

ID = "k"  # begins what flows are called


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
    for kernel_route in counted:
        for port in kernel_route.ports:
            by_port[port].append(kernel_route)
    now = time()
    found: list[tuple[SessionStatus, Flow]] = []
    remaining: dict[KernelRoute, set[Address]] = {kernel_route: set() for kernel_route in counted}
    for flow in await flows.open_flows(by_port):
        for kernel_route in by_port[flow.proto, flow.listen[1]]:
            if flow.upstream in kernel_route.belongs or flow.upstream in kernel_route.belonged:
                remaining[kernel_route].add(flow.upstream)
                found.append((kernel_route.view(flow, now), flow))
                break
    for kernel_route, upstreams in remaining.items():
        kernel_route.belonged &= upstreams
    return found
