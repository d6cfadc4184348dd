"""The flows of one UDP listener: how many there may be, when they end, and what is counted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from ambassador import log
from ambassador.core.last_use import ByLastUse
from ambassador.core.limits import is_limited
from ambassador.model import Reason
from ambassador.planes.relay import pktinfo
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.flow import UdpFlow
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.poller import LEVEL, Ready
from ambassador.planes.relay.surroundings import Surroundings

__all__ = ["UdpFlows"]

# A changed `idle` is noticed after at most this long.
_LONGEST_SWEEP = 5.0
# So many free descriptors end a shortage; with fewer the log would speak of it again and again.
_PLENTY = 10


class _Upstream(Ready):
    """Calls `heard` when the socket of a flow has something to read; see poller.Ready."""

    __slots__ = ("_flow", "_heard")

    def __init__(self, flow: UdpFlow, heard: Callable[[UdpFlow], None]) -> None:
        self._flow = flow
        self._heard = heard

    def ready(self, events: int) -> None:
        self._heard(self._flow)

    def broke(self) -> None:
        """Nothing to do: the poller reports again what is not read."""


class UdpFlows(ByLastUse[UdpFlow]):
    """Begins and ends flows; `heard` is called for each whose upstream has something to read."""

    def __init__(
        self, live: LiveRoute, around: Surroundings, heard: Callable[[UdpFlow], None]
    ) -> None:
        super().__init__()
        self._live = live
        self._descriptors = around.descriptors
        self._poller = around.poller
        self._heard = heard
        self._closed = around.closed
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._crowded = False

    def begin(self, key: tuple[Any, pktinfo.Ancillary], now: float) -> UdpFlow | None:
        """Return a new flow that has yet to find its endpoint; None when there is no room."""
        if not self._room():
            return None
        self._descriptors.take(1)
        self._descriptors.flow_count += 1
        self._descriptors.tables.add(self)
        flow = UdpFlow(
            key, now, *key, began=now, id=self._live.new_id(), memory=self._poller.memory
        )
        self.add(flow)
        self._live.counters.opened += 1
        self._live.counters.open += 1
        if self._timer is None:
            self.sweep()
        return flow

    def join(self, flow: UdpFlow, upstream: socket.SocketType, candidate: Candidate) -> None:
        """Let `flow` lead to `candidate` through `upstream`, and no longer elsewhere."""
        self._part(flow)
        flow.upstream, flow.candidate, flow.answered = upstream, candidate, False
        self._poller.add(upstream.fileno(), _Upstream(flow, self._heard), LEVEL)
        flow.counted = self._live.opened(candidate)

    def end(self, flow: UdpFlow, reason: Reason, detail: str = "") -> None:
        """End `flow`, which is here, for `reason`."""
        if flow.task is not None:
            flow.task.cancel()
        self.remove(flow)
        flow.release()
        self._live.hold_queue.leave(flow)
        record = flow.record(self._live.route, self._loop.time(), reason, detail)
        self._part(flow)
        counters = self._live.counters
        counters.open -= 1
        counters.closed[reason] += 1
        self._let_go(flow)
        self._closed(record)

    def _let_go(self, flow: UdpFlow) -> None:
        if is_limited(self._live.route):
            self._live.counters.limits.left(flow.client[0])
        self._descriptors.give(1)
        self._descriptors.flow_count -= 1
        if not len(self):
            self._descriptors.tables.discard(self)

    def taken(self, flow: UdpFlow) -> None:
        """Let go of `flow`: another process goes on with it, and no end is counted."""
        if flow.task is not None:
            flow.task.cancel()
        self.remove(flow)
        flow.release()
        self._live.hold_queue.leave(flow)
        self._part(flow)
        self._live.counters.open -= 1
        self._let_go(flow)

    def adopt(self, flow: UdpFlow) -> None:
        """Go on with `flow`, which another process has begun, and has counted as opened."""
        self._descriptors.take(1)
        self._descriptors.flow_count += 1
        self._descriptors.tables.add(self)
        self.add(flow)
        self._live.counters.open += 1
        if is_limited(self._live.route):
            self._live.counters.limits.here(flow.client[0])
        if flow.candidate is not None:
            flow.counted = self._live.opened(flow.candidate, elsewhere=True)

    def heed(self, flow: UdpFlow) -> None:
        """Watch the upstream of `flow` from now on."""
        if flow.upstream is not None:
            self._poller.add(flow.upstream.fileno(), _Upstream(flow, self._heard), LEVEL)
        if self._timer is None:
            self.sweep()

    def displace(self) -> None:
        """End the flow that has been silent longest; see Descriptors.displace."""
        if (oldest := self.oldest()) is not None:
            self.end(oldest, Reason.REFUSED, "displaced")

    def sweep(self) -> None:
        """End idle flows; come again when the next flow may be idle."""
        self._disarm()
        now, limit = self._loop.time(), self._live.route.idle
        for flow in self.idle(now, limit):
            self.end(flow, Reason.TIMEOUT, "idle")
        if (moment := self.next_idle(limit)) is not None:
            self._timer = self._loop.call_at(min(moment, now + _LONGEST_SWEEP), self.sweep)

    def close(self, reason: Reason) -> None:
        """End every flow, for `reason`."""
        for flow in self:
            self.end(flow, reason)
        self._disarm()
        self._heard = lambda _: None  # no cycle with the listener: see Departures.close

    def _room(self) -> bool:
        """Tell whether a descriptor is free; end the flow that is silent longest to get one."""
        descriptors = self._descriptors
        if descriptors.available(1) and descriptors.flow_count < descriptors.most_flows:
            self._crowded &= not self._descriptors.available(_PLENTY)
            return True
        if not descriptors.flow_count:
            return False
        if not self._crowded:
            self._crowded = True
            name = self._live.route.name
            log.event(
                log.WARNING,
                "flows_displaced",
                f"{name}  {descriptors.flow_count} flows are open and {self._descriptors.limit} "
                "file descriptors are allowed (ulimit -n), half of them for flows; each new flow "
                "ends the one that has been silent longest",
                route=name,
                flows=descriptors.flow_count,
                limit=self._descriptors.limit,
            )
        return descriptors.displace(self) and descriptors.available(1)

    def _part(self, flow: UdpFlow) -> None:
        if flow.upstream is not None and flow.candidate is not None:
            # Closed at once, to free its source port. If a new socket gets its number, an event of
            # this turn does no harm: there is nothing to read.
            self._poller.remove(flow.upstream.fileno())
            flow.upstream.close()
            if flow.counted is not None:
                self._live.closed(flow.counted, flow.candidate, *flow.carried)
                flow.told = flow.to_upstream, flow.to_client
            flow.upstream = flow.candidate = flow.counted = None

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
