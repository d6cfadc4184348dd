"""Tell of each session in the kernel that has ended, and who ended it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import time

from ambassador.model import Proto, Reason, Route
from ambassador.planes.kernel.conntrack import Conntrack
from ambassador.planes.kernel.departures import FlowEnder
from ambassador.planes.kernel.entry import Flow, FlowState, shown
from ambassador.planes.kernel.hearing import FlowEvent, Hearing
from ambassador.planes.kernel.ruleset import Port
from ambassador.ports import SessionEnded, SessionRecord
from ambassador.tasks import spawn

__all__ = ["Following", "RouteOf"]

_CHECK = 5.0  # seconds between two looks at what has expired
_MOST = 200_000  # flows that are over and not forgotten yet: 40 s of 5,000 a second

RouteOf = Callable[[Port], Route | None]


class Following:
    """From `open` to `close`, `closed` hears of each flow that ends: of a connection at its end,
    of anything else when conntrack forgets it.
    """

    def __init__(
        self, conntrack: Conntrack, ender: FlowEnder, closed: SessionEnded, route_of: RouteOf
    ) -> None:
        self._conntrack = conntrack
        self._ender = ender
        self._closed = closed
        self._route_of = route_of
        self._hearing = Hearing(self._hear)
        self._began: dict[int, float] = {}
        self._told: dict[int, None] = {}  # in the order in which they were
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[list[Flow]] | None = None

    def open(self) -> None:
        """Begin; raises PlaneError. Flows that began before cannot be told of when they end."""
        self._ender.noting = True
        self._hearing.open()
        self._timer = asyncio.get_running_loop().call_later(_CHECK, self._hasten)

    def close(self) -> None:
        """Tell nothing any longer."""
        self._hearing.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()

    def _hear(self, event: FlowEvent, flow: Flow, by: Reason) -> None:
        route = self._route_of((flow.proto, flow.listen[1]))
        # What was dialled on loopback others have translated (Docker's DNS): we never do.
        if route is None or flow.listen[0].startswith("127."):
            return
        match event:
            case FlowEvent.NEW:
                self._began[flow.id] = asyncio.get_running_loop().time()
            case FlowEvent.OVER if flow.id not in self._told:
                # Only when it is forgotten the kernel tells by itself what it has carried.
                self._ender.reasons.setdefault(flow.id, by)
                entry = self._conntrack.look_up(flow)
                if entry is not None and entry.state is FlowState.OVER and self._tell(route, entry):
                    self._told[flow.id] = None
                    if len(self._told) > _MOST:
                        del self._told[next(iter(self._told))]
            case FlowEvent.FORGOTTEN:
                if flow.id not in self._told:
                    self._tell(route, flow)
                self._told.pop(flow.id, None)
                self._began.pop(flow.id, None)
                self._ender.reasons.pop(flow.id, None)

    def _tell(self, route: Route, flow: Flow) -> bool:
        """Tell of the end of `flow`, where it was a session."""
        if flow.proto is Proto.TCP and flow.packets_up == 1:  # a SYN that no upstream accepted
            return False
        now = asyncio.get_running_loop().time()
        seconds = now - self._began.pop(flow.id, now)
        if flow.began:
            seconds = (flow.ended or time()) - flow.began
        self._closed(
            SessionRecord(
                route.name,
                route.proto,
                shown(flow.client),
                None,
                shown(flow.upstream),
                "kernel",
                flow.bytes_up,
                flow.bytes_down,
                0.0,
                seconds,
                self._ender.reasons.pop(flow.id, Reason.UNKNOWN),
                "in the kernel",
            )
        )
        return True

    def _hasten(self) -> None:
        """Have the kernel look at its table: what has expired is otherwise removed, and told of,
        up to a minute later (gc_worker in nf_conntrack_core.c).
        """
        look = self._conntrack.flows(Proto.TCP, {0}, unanswered=True)
        self._looking = spawn(look, "look at conntrack")
        self._timer = asyncio.get_running_loop().call_later(_CHECK, self._hasten)
