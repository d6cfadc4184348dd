"""The open flows of the kernel plane: count them, end them, report their ends."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from socket import AF_INET, AF_INET6
from typing import Any

from ambassador import log
from ambassador.core.departure import Departure
from ambassador.errors import PlaneError
from ambassador.model import Proto, Reason, Route
from ambassador.planes.kernel.confirming import Felt, untold
from ambassador.planes.kernel.conntrack import Conntrack
from ambassador.planes.kernel.departures import Departures
from ambassador.planes.kernel.entry import Address, Flow
from ambassador.planes.kernel.following import Following, RouteOf
from ambassador.planes.kernel.poke import Poker
from ambassador.planes.kernel.ruleset import Port
from ambassador.planes.kernel.strays import StrayWatch
from ambassador.planes.kernel.tracking import takes_up
from ambassador.planes.kernel.vanished import VanishedFlows
from ambassador.ports import SessionEnded, unheard

__all__ = ["Flows"]

_LOOK = 0.2  # seconds between two looks whether the last flow has ended


class Flows:
    """The flows, from `open` to `close`; `can_cut`: there is the right to raw sockets.

    `closed` is called at the end of each flow, if `followed` or with the log at debug level.
    `felt` returns the peers that have got a reset for a cut; see Table.felt.
    """

    def __init__(
        self,
        *,
        can_cut: bool,
        closed: SessionEnded = unheard,
        followed: bool = False,
        felt: Felt | None = None,
    ) -> None:
        self._can_cut = can_cut
        self._closed = closed
        self._followed = followed
        self._conntrack = Conntrack()
        self._poker = Poker()
        self._departures = Departures(self._conntrack, self._poker, felt)
        self._following: Following | None = None
        self._vanished: VanishedFlows | None = None
        self._strays = StrayWatch(self._conntrack)

    def open(self, route_of: RouteOf, ours: Callable[[Flow], bool] = lambda _flow: False) -> None:
        """Open the sockets; raises PlaneError. `route_of` returns the route of a port; `ours` tells
        whether a flow leads to an address of one of our routes, now or before.

        The ends of flows that began before are not reported.
        """
        self._conntrack.open()
        if self._can_cut:
            self._poker.open()
        told: tuple[Any, ...] = ()
        if self._followed or log.enabled(log.DEBUG):
            self._following = Following(self._conntrack, self._departures, self._closed, route_of)
            told = self._following.vanished, self._following.missed
        self._vanished = VanishedFlows(self._conntrack, self._poker, ours, *told)
        self._vanished.open()
        if not takes_up():
            self._strays.open()
        if self._following is not None:
            self._following.open()

    def close(self) -> None:
        """Close the sockets; flows go on."""
        self._strays.close()
        if self._vanished is not None:
            self._vanished.close()
        if self._following is not None:
            self._following.close()
        self._departures.close()
        self._poker.close()
        self._conntrack.close()

    async def count(
        self, belonging: Mapping[Port, Collection[Address]]
    ) -> Mapping[Port, Counter[Address]]:
        """Return the number of open flows by port and upstream, for upstreams `belonging` there."""
        await self._departures.cut_through()
        found: dict[Port, Counter[Address]] = defaultdict(Counter)
        for flow in await self.open_flows(belonging):
            port = flow.proto, flow.listen[1]
            if flow.upstream in belonging[port]:
                found[port][flow.upstream] += 1
        return found

    async def everything(self) -> list[Flow]:
        """Return all flows that rules of an ambassador have translated, also of earlier ones."""
        return await self._conntrack.everything()

    async def left(
        self, route: Route, ports: Iterable[Port], gone: Collection[Address], why: Departure
    ) -> None:
        """Keep, drain or cut the flows of `ports` to the addresses `gone`, as `why` says."""
        await self._departures.endpoint_left(route, {port for _, port in ports}, gone, why)

    async def rest(self, route: Route, ports: Iterable[Port], rest: Collection[Address]) -> None:
        """The addresses `rest` get no new flows of `ports`; see Departures.endpoint_rests."""
        await self._departures.endpoint_rests(route, {port for _, port in ports}, rest)

    def back(self, proto: Proto, ports: Iterable[Port], back: Collection[Address]) -> None:
        """Spare flows to addresses that belong to the route again."""
        self._departures.endpoint_back(proto, {port for _, port in ports}, back)

    async def used(self, ports: Collection[Port], *, unanswered: bool = False) -> set[Port]:
        """Return the ports among `ports` that have flows, or flows that are `unanswered`."""
        flows = await self._of(ports, unanswered=unanswered)
        return {(flow.proto, flow.listen[1]) for flow in flows}

    async def open_flows(self, belonging: Mapping[Port, Collection[Address]]) -> list[Flow]:
        """Return the flows of the ports of `belonging` that are not over, in the address families
        of its addresses.
        """
        hosts = {host for places in belonging.values() for host, _ in places}
        families = {AF_INET6 if ":" in host else AF_INET for host in hosts}
        return await self._of(belonging, families=families)

    async def cut(self, flows: Sequence[Flow], reason: Reason) -> int:
        """End `flows` now; return how many there were. Raises PlaneError without the right to."""
        tcp = [flow for flow in flows if flow.proto is Proto.TCP]
        udp = [flow for flow in flows if flow.proto is Proto.UDP]
        if tcp and not self._can_cut:
            raise PlaneError("connections in the kernel cannot be cut: CAP_NET_RAW is missing")
        self._departures.note(udp, reason)
        ended = await self._conntrack.delete(udp)
        return ended + (await self._departures.cut(tcp, reason) if tcp else 0)

    async def untold(self, ids: Collection[int]) -> str:
        """Return a text where peers of flows of these `ids`, cut just now, got no reset; see
        Confirming.untold.
        """
        recent = self._departures.recent
        flows = [recent[one] for one in ids if one in recent]
        left = await self._departures.confirming.untold(flows)
        return untold(left, len(flows)) if left else ""

    async def drain(self, ports: Collection[Port], grace: float) -> int:
        """Let the TCP flows of `ports` end for `grace` seconds, then cut what is left; return
        how many that were. UDP flows are not waited for: nothing shows when one has ended.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        tcp = [port for port in ports if port[0] is Proto.TCP]
        udp = [port for port in ports if port[0] is Proto.UDP]
        left: list[Flow] = []
        try:
            while True:
                left = await self._of(tcp)
                remaining = deadline - loop.time()
                if not left or remaining <= 0:
                    break
                await asyncio.sleep(min(_LOOK, remaining))
        finally:  # also when this task is cancelled
            await self._end(await self._of(udp))
            if left and self._can_cut:  # not without flows: a cut takes 1.2 s for its repetitions
                await self._departures.cut(left, Reason.SHUTDOWN)
            elif left:  # the next segment of a client belongs to no connection: TCP resets it
                await self._end(left)
        await self._departures.settle()
        return len(left)

    async def _end(self, flows: Sequence[Flow]) -> None:
        """Delete the entries of `flows`, because we stop."""
        self._departures.note(flows, Reason.SHUTDOWN)
        await self._conntrack.delete(flows)

    async def _of(
        self,
        ports: Collection[Port],
        *,
        unanswered: bool = False,
        families: Collection[int] = (AF_INET, AF_INET6),
    ) -> list[Flow]:
        found = []
        for proto in Proto:
            numbers = {number for its, number in ports if its is proto}
            if numbers:
                found += await self._conntrack.flows(
                    proto, numbers, families, unanswered=unanswered
                )
        return found
