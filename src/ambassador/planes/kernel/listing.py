"""The open flows of routes, as sessions that can be listed and cut."""

from __future__ import annotations

from collections.abc import Sequence
from time import time

from ambassador.planes.kernel.carried import Carried
from ambassador.planes.kernel.entry import Address, Flow
from ambassador.planes.kernel.flows import Flows
from ambassador.ports import SessionStatus

__all__ = ["ID", "open_flows"]

ID = "k"  # begins what flows are called


async def open_flows(
    flows: Flows, counted: Sequence[Carried]
) -> Sequence[tuple[SessionStatus, Flow]]:
    """Return the open flows of `counted`, those to addresses that have left among them; a route
    forgets former addresses to which none are left.
    """
    if not counted:
        return []
    by_port = {port: carried for carried in counted for port in carried.ports}
    now = time()
    found: list[tuple[SessionStatus, Flow]] = []
    remaining: dict[Carried, set[Address]] = {carried: set() for carried in counted}
    for flow in await flows.open_flows(by_port):
        carried = by_port[flow.proto, flow.listen[1]]
        remaining[carried].add(flow.upstream)
        if flow.upstream in carried.belongs or flow.upstream in carried.former:
            found.append((carried.view(flow, now), flow))
    for carried, upstreams in remaining.items():
        carried.former &= upstreams
    return found
