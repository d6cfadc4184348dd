"""Tell of each session in the kernel that has ended, and which side ended it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from time import time

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.model import Proto, Reason, Route
from ambassador.planes.kernel.conntrack import Conntrack
from ambassador.planes.kernel.continued import PATIENCE, Continued
from ambassador.planes.kernel.departures import Departures
from ambassador.planes.kernel.entry import Flow, FlowState, shown
from ambassador.planes.kernel.hearing import FlowEvent, Hearing
from ambassador.planes.kernel.ruleset import Port
from ambassador.ports import SessionEnded, SessionRecord
from ambassador.tasks import spawn

__all__ = ["Following", "RouteOf"]

_CHECK = 5.0  # seconds between two looks at what has expired
_GATHER = 0.2  # seconds in which more events may be lost, before they are made up for
_TOGETHER = 0.1  # seconds whose lost entries are told of in one go
_MOST = 200_000  # flows that are over and not forgotten yet: 40 s of 5,000 a second

RouteOf = Callable[[Port], Route | None]


class Following:
    """From `open` to `close`, `closed` hears of each flow that ends: of a connection at its end,
    of anything else when conntrack forgets it.
    """

    def __init__(
        self, conntrack: Conntrack, departures: Departures, closed: SessionEnded, route_of: RouteOf
    ) -> None:
        self._conntrack = conntrack
        self._departures = departures
        self._closed = closed
        self._route_of = route_of
        self._hearing = Hearing(self._hear, self._missed)
        self._began: dict[int, float] = {}
        self._told: dict[int, None] = {}  # in the order in which they were
        self._continued = Continued()
        self._losing: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[list[Flow]] | None = None
        self._missing = 0  # events that were lost, and not made up for yet
        self._repair: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin; raises PlaneError. Flows that began before cannot be told of when they end."""
        self._departures.noting = True
        self._hearing.open()
        self._timer = asyncio.get_running_loop().call_later(_CHECK, self._hasten)

    def close(self) -> None:
        """Tell nothing any longer; what has vanished just now has ended."""
        self._hearing.close()
        self._tell_lost()
        for timer in filter(None, (self._timer, self._losing)):
            timer.cancel()
        for task in filter(None, (self._looking, self._repair)):
            task.cancel()

    def _hear(self, event: FlowEvent, flow: Flow, by: Reason) -> None:
        route = self._route(flow)
        if route is None:
            return
        match event:
            case FlowEvent.NEW:
                past = self._continued.back(flow)
                now = asyncio.get_running_loop().time()
                self._began[flow.id] = now if past is None or past.began is None else past.began
            case FlowEvent.OVER if flow.id not in self._told:
                # Only when it is forgotten the kernel tells by itself what it has carried.
                self._departures.reasons.setdefault(flow.id, by)
                entry = self._conntrack.look_up(flow)
                if entry is not None and entry.state is FlowState.OVER and self._tell(route, entry):
                    self._told[flow.id] = None
                    if len(self._told) > _MOST:
                        del self._told[next(iter(self._told))]
            case FlowEvent.VANISHED if flow.id not in self._departures.reasons:
                loop = asyncio.get_running_loop()
                self._continued.vanished(flow, self._began.pop(flow.id, None), loop.time())
                if self._losing is None:
                    self._losing = loop.call_later(PATIENCE, self._lose)
            case FlowEvent.FORGOTTEN | FlowEvent.VANISHED:
                if flow.id not in self._told:
                    self._tell(route, flow)
                self._told.pop(flow.id, None)
                self._began.pop(flow.id, None)
                self._departures.reasons.pop(flow.id, None)
                self._continued.forget(flow.id)

    def _lose(self) -> None:
        loop = asyncio.get_running_loop()
        self._tell_lost(loop.time() - PATIENCE)
        self._losing = loop.call_later(_TOGETHER, self._lose) if self._continued else None

    def _tell_lost(self, until: float = inf) -> None:
        """Tell of sessions whose entries vanished until then and are not there again."""
        for past in self._continued.lost(until):
            if (route := self._route(past.flow)) is not None:
                if past.began is not None:
                    self._began[past.flow.id] = past.began
                self._tell(route, past.flow, past.vanished)
                self._began.pop(past.flow.id, None)

    def _route(self, flow: Flow) -> Route | None:
        # What was dialled on loopback others have translated (Docker's DNS): we never do.
        if flow.listen[0].startswith("127."):
            return None
        return self._route_of((flow.proto, flow.listen[1]))

    def _tell(self, route: Route, flow: Flow, ended: float | None = None) -> bool:
        """Tell of the end of `flow`, where it was a session, now or when it `ended`."""
        flow = self._continued.end(flow)
        if flow.proto is Proto.TCP and flow.packets_up == 1:  # a SYN that no upstream accepted
            return False
        now = asyncio.get_running_loop().time() if ended is None else ended
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
                self._departures.reasons.pop(flow.id, Reason.UNKNOWN),
                "in the kernel",
                id=f"k{flow.id}",
            )
        )
        return True

    def _missed(self, number: int) -> None:
        """Make up for `number` events that were lost."""
        self._missing += number
        if self._repair is None or self._repair.done():
            self._repair = spawn(self._resynchronise(), "lost events of conntrack")

    async def _resynchronise(self) -> None:
        """Compare what we know with conntrack's table, until no event is lost meanwhile."""
        pause = _GATHER
        while self._missing:
            await asyncio.sleep(pause)
            lost, self._missing, pause = self._missing, 0, _CHECK
            known, told = tuple(self._began), tuple(self._told)
            try:
                found = {flow.id: flow for flow in await self._conntrack.everything()}
            except PlaneError as error:
                log.event(
                    log.WARNING, "flow_events_lost", f"{lost} events of flows were lost: {error}"
                )
                return
            await self._hearing.catch_up()
            ended = [one for one in known if one in self._began and one not in found]
            for one in ended:
                del self._began[one]
                self._continued.forget(one)
                self._departures.reasons.pop(one, None)
            for one in told:
                if one not in found:
                    self._told.pop(one, None)
            now = asyncio.get_running_loop().time()
            for one, flow in found.items():
                if flow.state is not FlowState.OVER and self._route(flow) is not None:
                    self._began.setdefault(one, now)
            log.event(
                log.WARNING,
                "flow_events_lost",
                f"more flows begin and end than can be logged: {lost} events were lost, and "
                f"at least {len(ended)} sessions that ended have no line",
                events=lost,
                sessions=len(ended),
            )

    def _hasten(self) -> None:
        """Have the kernel look at its table: what has expired is otherwise removed, and told of,
        up to a minute later (gc_worker in nf_conntrack_core.c).
        """
        self._hearing.check()
        look = self._conntrack.flows(Proto.TCP, {0}, unanswered=True)
        self._looking = spawn(look, "look at conntrack")
        self._timer = asyncio.get_running_loop().call_later(_CHECK, self._hasten)
