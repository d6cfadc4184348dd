"""Report each session in the kernel that has ended, and which side ended it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from time import time

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.model import Proto, Reason, Route
from ambassador.planes.kernel.conntrack import Conntrack
from ambassador.planes.kernel.continued import PATIENCE, Continued, ends_of
from ambassador.planes.kernel.departures import Departures
from ambassador.planes.kernel.entry import Flow, FlowState, shown
from ambassador.planes.kernel.hearing import FlowEvent, Hearing
from ambassador.planes.kernel.ruleset import Port
from ambassador.planes.kernel.vanished import Vanishing
from ambassador.ports import SessionEnded, SessionRecord
from ambassador.tasks import spawn

__all__ = ["Following", "RouteOf"]

_CHECK = 5.0  # seconds between two looks for entries that have expired
_GATHER = 0.2  # seconds to wait after a lost event, as more may be lost
_TOGETHER = 0.1  # seconds: entries that vanish within this time are reported together
_MOST = 200_000  # flows that are over and whose entries are still there: 40 s of 5,000 a second

RouteOf = Callable[[Port], Route | None]


class Following:
    """From `open` to `close`, `closed` is called for each flow that ends: for a connection at its
    end, for other flows when conntrack deletes the entry. For entries that vanish before their time
    see vanished.py.
    """

    def __init__(
        self, conntrack: Conntrack, departures: Departures, closed: SessionEnded, route_of: RouteOf
    ) -> None:
        self._conntrack = conntrack
        self._departures = departures
        self._closed = closed
        self._route_of = route_of
        self._hearing = Hearing(self._hear, self.missed)
        self._began: dict[int, float] = {}
        self._told: dict[int, None] = {}  # flows whose end is reported, in order
        self._continued = Continued()
        self._losing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[list[Flow]] | None = None
        self._missing = 0  # events that were lost, before the next comparison
        self._since: set[int] | None = None  # flows whose end is reported during a comparison
        self._repair: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin; raises PlaneError. The ends of flows that began before are not reported."""
        self._departures.noting = True
        self._hearing.open(self._conntrack.port)
        self._timer = asyncio.get_running_loop().call_later(_CHECK, self._hasten)

    def close(self) -> None:
        """Stop; sessions whose entries have vanished just now have ended."""
        self._hearing.close()
        self._tell_lost()
        if self._timer is not None:
            self._timer.cancel()
        for task in filter(None, (self._losing, self._looking, self._repair)):
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
                # This event has no counters: only that of the deletion has. So look them up.
                entry = self._conntrack.look_up(flow)
                if entry is not None and entry.state is FlowState.OVER:
                    self._over(route, entry, by)
                else:
                    self._departures.reasons.setdefault(flow.id, by)
            case FlowEvent.FORGOTTEN:
                if flow.id not in self._told:
                    self._tell(route, flow)
                self._told.pop(flow.id, None)
                self._began.pop(flow.id, None)
                self._departures.reasons.pop(flow.id, None)

    def _over(self, route: Route, flow: Flow, by: Reason) -> None:
        """Report a connection that has ended, and whose entry is still there."""
        self._departures.reasons.setdefault(flow.id, by)
        if self._tell(route, flow):
            self._told[flow.id] = None
            if len(self._told) > _MOST:
                del self._told[next(iter(self._told))]

    def vanished(self, what: Vanishing, flow: Flow) -> None:
        """Called when the entry of `flow` is gone before its time, and when it is made again or
        could not be.
        """
        now = asyncio.get_running_loop().time()
        match what:
            case Vanishing.GONE if self._route(flow) is not None:
                self._continued.vanished(flow, self._began.pop(flow.id, None), now)
            case Vanishing.AGAIN:
                self._continued.back(flow)
            case Vanishing.LEFT:  # its client may make a new entry, which is reported later
                self._continued.left(flow, now)
                if self._continued and (self._losing is None or self._losing.done()):
                    self._losing = spawn(self._lose(), "sessions that vanished")

    async def _lose(self) -> None:
        while self._continued:
            await asyncio.sleep(_TOGETHER)
            until = asyncio.get_running_loop().time() - PATIENCE
            await self._hearing.catch_up()
            if not self._missing and (self._repair is None or self._repair.done()):
                self._tell_lost(until)

    def _tell_lost(self, until: float = inf) -> None:
        """Report sessions whose entries vanished before `until` and are not back."""
        for past in self._continued.lost(until):
            if (route := self._route(past.flow)) is not None:
                if past.began is not None:
                    self._began[past.flow.id] = past.began
                self._tell(route, past.flow, past.vanished)

    def _route(self, flow: Flow) -> Route | None:
        # A connection to loopback was translated by another program (Docker's DNS), not by us.
        if flow.listen[0].startswith("127."):
            return None
        return self._route_of((flow.proto, flow.listen[1]))

    def _tell(self, route: Route, flow: Flow, ended: float | None = None) -> bool:
        """Report the end of `flow`, if it was a session, now or when it `ended`."""
        if self._since is not None:
            self._since.add(flow.id)
        flow, began = self._continued.end(flow)
        if flow.proto is Proto.TCP and flow.packets_up == 1:  # a SYN that no upstream accepted
            return False
        now = asyncio.get_running_loop().time() if ended is None else ended
        seconds = now - self._began.pop(flow.id, now if began is None else began)
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

    def missed(self, number: int) -> None:
        """Compare soon with conntrack's table, since `number` events were lost."""
        self._missing += number
        if self._repair is None or self._repair.done():
            self._repair = spawn(self._resynchronise(), "lost events of conntrack")

    async def _resynchronise(self) -> None:
        """Compare what we know with conntrack's table, until no event is lost during that."""
        pause = _GATHER
        while self._missing:
            await asyncio.sleep(pause)
            lost, self._missing, pause = self._missing, 0, _CHECK
            self._since = set()
            try:
                said, sessions = await self._compare()
            except PlaneError as error:
                said, sessions = f": {error}", 0
            finally:
                self._since = None
            log.event(
                log.WARNING,
                "flow_events_lost",
                f"more flows begin and end than can be logged: {lost} events were lost{said}",
                events=lost,
                sessions=sessions,
            )

    async def _compare(self) -> tuple[str, int]:
        """Correct what we know by conntrack's table; return a text for the log, and how many
        sessions have ended without a line in the log. Raises PlaneError.
        """
        known, told, ended = tuple(self._began), frozenset(self._told), dict[int, Reason]()
        found = {flow.id: flow for flow in await self._conntrack.everything(ended)}
        await self._hearing.catch_up()
        since, late = self._since or set(), 0
        for one, flow in found.items():
            route = self._route(flow)
            if route is None or one in since:
                continue
            if one not in ended:
                self._there(flow)
            elif one not in told and one not in self._told:
                self._over(route, flow, ended[one])
                late += one in self._told
        missing = [one for one in known if one in self._began and one not in found]
        for one in missing:
            del self._began[one]
            self._departures.reasons.pop(one, None)
        for one in told.difference(found):
            self._told.pop(one, None)
        without = len(missing) + self._continued.keep({ends_of(one) for one in found.values()})
        return (
            f", at least {without} sessions that ended have no line here, {late} have a late one"
        ), without

    def _there(self, flow: Flow) -> None:
        """Note that `flow` is open; the event of its beginning may have been lost."""
        if flow.id not in self._began and flow not in self._continued:
            past = self._continued.back(flow)
            if past is None:
                self._began[flow.id] = asyncio.get_running_loop().time()

    def _hasten(self) -> None:
        """Have the kernel walk through its table: without that, entries that have expired are
        removed, and reported, up to a minute later (gc_worker in nf_conntrack_core.c).
        """
        self._hearing.check()
        look = self._conntrack.flows(Proto.TCP, {0}, unanswered=True)
        self._looking = spawn(look, "look at conntrack")
        self._timer = asyncio.get_running_loop().call_later(_CHECK, self._hasten)
