"""End the flows of endpoints that have left their route, as its policy says.

To poke a peer: to send it a segment that it has to answer, so that it finds out that the flow is
over (poke.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from socket import AF_INET, AF_INET6
from typing import Any

from ambassador.core.departure import Departure, grace
from ambassador.model import Existing, Fate, Proto, Reason, Route
from ambassador.pacing import pace, tell_leaving
from ambassador.planes.kernel.confirming import Confirming, Felt
from ambassador.planes.kernel.conntrack import Conntrack
from ambassador.planes.kernel.entry import Address, Flow
from ambassador.planes.kernel.marks import FIRST_MARK
from ambassador.planes.kernel.poke import Poke, Poker
from ambassador.tasks import spawn

__all__ = ["Departures"]

# When the peers of a cut are poked again, in seconds after each other: a socket answers one such
# segment in 500 ms (net.ipv4.tcp_invalid_ratelimit), and may have answered another one just then.
_AGAIN = ((0.6, Poke.PLAIN), (0.6, Poke.HANDSHAKE))
# Flows that are deleted while the peers of the piece before are poked; either is half of the work.
_PIECE = 100
_TICK = 0.02  # seconds between two looks which flows are to be ended
# For endpoints that rest: only flows that their upstream has not answered end.
_REST = Departure(Reason.UNREACHABLE, Existing())
_ANSWER = 0.1  # seconds that an endpoint which has left has to answer its last new flows


@dataclass(eq=False, slots=True)
class _Leaving:
    """Addresses that left a route at one moment, and the tasks that end their flows."""

    proto: Proto
    ports: Collection[int]
    gone: set[Address]
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Departures:
    """Ends flows of the kernel as `Route.existing` says. Conntrack and poker are open already."""

    def __init__(self, conntrack: Conntrack, poker: Poker, felt: Felt | None = None) -> None:
        self._conntrack = conntrack
        self._poker = poker
        self._leaving: list[_Leaving] = []
        self._again: set[asyncio.Task[None]] = set()
        self._cutting: set[asyncio.Task[None]] = set()
        self.recent: dict[int, Flow] = {}  # flows that were cut, and whose peers are still poked
        self.confirming = Confirming(conntrack, poker, felt)
        self.noting = False  # whether `reasons` are wanted
        self.reasons: dict[int, Reason] = {}  # by the ids of flows

    async def endpoint_left(
        self,
        route: Route,
        listen_ports: Collection[int],
        gone: Collection[Address],
        why: Departure,
    ) -> None:
        """Keep, drain or cut, as `why` says, the flows from `listen_ports` of `route` to the
        addresses `gone`, which new flows can no longer reach.

        On return UDP flows have been deleted: the next datagrams of their clients go where the
        route leads now. TCP connections follow the policy from now on, in tasks of their own;
        connections that no upstream answers are deleted soon.
        """
        leaving = _Leaving(route.proto, frozenset(listen_ports), set(gone))
        if why.existing.fate is Fate.KEEP and route.proto is Proto.TCP:
            # No new flows begin: so a flow that is unanswered later has been so all that time.
            work = self._look_again(route, leaving, why)
            self._spawn(leaving, work, f"unanswered of {route.name}")
            return
        flows = await self._flows(leaving)
        if route.proto is Proto.UDP:
            await self._delete(flows, why.reason)
            return
        self._wait_for_answers(route, leaving, why, flows)
        self._begin(route, leaving, why, [flow for flow in flows if flow.established])

    async def endpoint_rests(
        self, route: Route, listen_ports: Collection[int], rest: Collection[Address]
    ) -> None:
        """The addresses `rest` get no new flows: connections there that no upstream answers are
        deleted soon, so that their clients try elsewhere; all others go on.
        """
        if route.proto is Proto.TCP:
            await self.endpoint_left(route, listen_ports, rest, _REST)

    def endpoint_back(
        self, proto: Proto, listen_ports: Collection[int], back: Collection[Address]
    ) -> None:
        """Spare the flows to the addresses `back`, which belong to the route again."""
        for leaving in self._leaving:
            if leaving.proto is proto and not set(listen_ports).isdisjoint(leaving.ports):
                leaving.gone -= set(back)

    def note(self, flows: Iterable[Flow], reason: Reason) -> None:
        """Note why `flows` are about to end."""
        if self.noting:
            self.reasons.update((flow.id, reason) for flow in flows)

    async def cut(self, flows: Sequence[Flow], reason: Reason) -> int:
        """End `flows` now; return how many there were. Both peers see a reset at once or, when they
        are poked again, within 1.2 s.
        """
        self.note(flows, reason)
        ended, sending = 0, None
        for first in range(0, len(flows), _PIECE):
            piece = flows[first : first + _PIECE]
            ended += await self._conntrack.delete(piece)
            segments = self._poker.segments(piece, Poke.HANDSHAKE, FIRST_MARK)
            if sending is not None:
                await sending
            sending = spawn(self._poker.send(segments), "poke of a cut")
        if sending is not None:
            await sending
        self.recent.update((flow.id, flow) for flow in flows)
        self.confirming.begin(flows)
        task = spawn(self._repeat(flows), "repeat of a cut")
        self._again.add(task)
        task.add_done_callback(self._again.discard)
        return ended

    async def cut_through(self) -> None:
        """Wait until all flows that are to be cut at once are cut: work that can wait must not
        delay a cut.
        """
        if self._cutting:
            await asyncio.wait(set(self._cutting))

    @property
    def busy(self) -> bool:
        """Whether flows are being drained or cut."""
        return bool(self._leaving or self._again)

    async def settle(self) -> None:
        """Wait until the peers of all cuts have been poked for the last time."""
        if self._again:
            await asyncio.wait(self._again)
        await self.confirming.settle()

    def close(self) -> None:
        """End nothing any longer; flows that are not cut go on."""
        for leaving in self._leaving:
            for task in leaving.tasks:
                task.cancel()
        for task in self._again:
            task.cancel()
        self.confirming.close()
        self._leaving.clear()

    async def _flows(self, leaving: _Leaving, *, unanswered: bool = False) -> list[Flow]:
        families = {AF_INET6 if ":" in host else AF_INET for host, _ in leaving.gone}
        flows = await self._conntrack.flows(
            leaving.proto, leaving.ports, families, unanswered=unanswered
        )
        return [flow for flow in flows if flow.upstream in leaving.gone]

    def _spawn(
        self, leaving: _Leaving, work: Coroutine[Any, Any, None], name: str
    ) -> asyncio.Task[None]:
        if leaving not in self._leaving:
            self._leaving.append(leaving)
        task = spawn(work, name)
        leaving.tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            leaving.tasks.discard(task)
            if not leaving.tasks and leaving in self._leaving:
                self._leaving.remove(leaving)

        task.add_done_callback(ended)
        return task

    def _wait_for_answers(
        self, route: Route, leaving: _Leaving, why: Departure, flows: Iterable[Flow]
    ) -> None:
        """Look again soon at the flows among `flows` that are not answered yet: most will be
        answered in a moment, and to delete a flow just then would cost its client a second.
        """
        connecting = {flow.id for flow in flows if not flow.established}
        if connecting:
            work = self._look_again(route, leaving, why, connecting)
            self._spawn(leaving, work, f"unanswered of {route.name}")

    async def _look_again(
        self,
        route: Route,
        leaving: _Leaving,
        why: Departure,
        connecting: Collection[int] | None = None,
    ) -> None:
        """Of the flows that were `connecting` a moment ago (None: of all flows), delete those that
        are not answered yet, and have the others follow the policy.
        """
        await asyncio.sleep(_ANSWER)
        await self.cut_through()
        found = await self._flows(leaving, unanswered=why.existing.fate is Fate.KEEP)
        flows = [flow for flow in found if connecting is None or flow.id in connecting]
        await self._delete([flow for flow in flows if not flow.established], why.reason)
        self._begin(route, leaving, why, [flow for flow in flows if flow.established])

    def _begin(self, route: Route, leaving: _Leaving, why: Departure, flows: list[Flow]) -> None:
        """Begin to end the open connections `flows` as `why` says."""
        if not flows or why.existing.fate is Fate.KEEP:
            return
        tell_leaving(route.name, len(flows), why, where=f" to {_named(flows)}")
        task = self._spawn(leaving, self._end(leaving, why, flows), f"departures of {route.name}")
        if why.existing.fate is Fate.CUT and not why.existing.rate:
            self._cutting.add(task)
            task.add_done_callback(self._cutting.discard)

    async def _end(self, leaving: _Leaving, why: Departure, flows: list[Flow]) -> None:
        async def cut(piece: Sequence[Flow]) -> int:
            left = [flow for flow in piece if flow.upstream in leaving.gone]
            return await self.cut(left, why.reason)

        if wait := grace(why.existing):
            await asyncio.sleep(wait)
            flows = await self._flows(leaving)
        await pace(flows, why.existing, cut, tick=_TICK)

    async def _delete(self, flows: Sequence[Flow], reason: Reason) -> None:
        self.note(flows, reason)
        await self._conntrack.delete(flows)

    async def _repeat(self, flows: Sequence[Flow]) -> None:
        for pause, poke in _AGAIN:
            await asyncio.sleep(pause)
            await self.confirming.poke(flows, poke)
        for flow in flows:
            self.recent.pop(flow.id, None)


def _named(flows: Sequence[Flow]) -> str:
    """Return `10.0.0.2:6379, 10.0.0.3:6379`."""
    ends = sorted({flow.upstream for flow in flows})
    return ", ".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in ends)
