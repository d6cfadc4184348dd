"""UDP: a flow stands for a client; answers leave from the address that the client sent to.

A flow has one connected upstream socket, so that only its endpoint can answer (connect(2)), and
that a refusal (ICMP port unreachable) is reported. Datagrams are never kept, except the first few
of a flow while the name of its endpoint is resolved, or the route is held: they wait in order.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from ambassador.model import Endpoint, Hold, Reason
from ambassador.planes.relay import pktinfo
from ambassador.planes.relay.flow import UdpFlow
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.poller import LEVEL, Ready
from ambassador.planes.relay.refusal import UnreachableError, spoken
from ambassador.planes.relay.source_ports import NoSourcePortError
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.planes.relay.udp_endpoints import NameUnknownError, UdpEndpoints
from ambassador.planes.relay.udp_flows import UdpFlows
from ambassador.ports import SessionStatus
from ambassador.sockets.bind import close_listener
from ambassador.sockets.inherited import LentSocket
from ambassador.tasks import Slice, spawn

__all__ = ["UdpListener"]

# Limits of one go, before other sockets have their turn: datagrams, at 8 us each (measured) half a
# millisecond; and seconds, since a datagram that begins a flow takes 100 us.
_BATCH, _LONGEST = 64, 0.001
_LAST_BATCH = 4096  # when the listener stops
_BATCH_OF_FLOW = 16
# Errors of Linux for an address that cannot be a source: IPv6, and IPv4 over a dual-stack socket.
_NO_SOURCE = frozenset({errno.EINVAL, errno.ENETUNREACH})


class UdpListener(Ready):
    """Carries the datagrams of one bound socket (one port of a route).

    `is_own` tells whether an address of this host is a UDP listener of ours.
    """

    def __init__(
        self,
        around: Surroundings,
        live: LiveRoute,
        sock: socket.socket,
        port: int,
        is_own: Callable[[str, int], bool],
    ) -> None:
        self._live = live
        self.sock = sock
        # uvloop stops polling a descriptor at its first error, and each refusal is one here. The
        # poller has one descriptor without errors, and is cheaper to change.
        self._poller = around.poller
        self.port = port
        self._endpoints = UdpEndpoints(live, port, around.resolver, is_own, around.ports)
        self._loop = asyncio.get_running_loop()
        self._space = pktinfo.ask(sock)
        self._view = around.datagram
        self._flows = UdpFlows(live, around, self._from_upstream)
        self._begun = self._accepting = False
        self._descriptors = around.descriptors
        # Sockets that were handed over were open, and counted, before the budget was made.
        self._counted = not isinstance(sock, LentSocket)
        if self._counted:
            self._descriptors.listen()

    @property
    def listening(self) -> bool:
        """Whether new flows are taken."""
        return self._accepting

    def views(self, now: float) -> Iterator[SessionStatus]:
        """Yield its open flows as the API shows them; see Arrivals.views."""
        route, queue = self._live.route, self._live.hold_queue
        for flow in tuple(self._flows):
            yield flow.view(route, now, held=flow in queue)

    @property
    def flows(self) -> UdpFlows:
        """Its open flows."""
        return self._flows

    def resume_flow(self, flow: UdpFlow, datagrams: Sequence[bytes], held: float | None) -> None:
        """Go on with `flow` of another process; `datagrams` wait there, and it is `held` since."""
        self._flows.heed(flow)
        for datagram in datagrams:
            flow.hold(datagram)
        hold = self._live.route.hold
        if held is not None and hold is not None:
            self._hold(flow, hold, held)
        elif datagrams:
            self._released(flow)

    def cuts(self) -> Iterator[tuple[str, Callable[[Reason], None]]]:
        """Yield the id of each of its flows with the call that ends it."""
        for flow in tuple(self._flows):
            yield flow.id, partial(self._cut, flow)

    def start(self) -> None:
        """Begin to take datagrams."""
        self._begun = self._accepting = True
        self._poller.add(self.sock.fileno(), self, LEVEL)
        self._endpoints.follow()

    @property
    def takes(self) -> bool:
        """Tell whether datagrams need not wait."""
        return self._accepting

    def pause(self) -> None:
        """Read nothing from clients until `resume`: datagrams wait in the socket. Answers go on."""
        if self._accepting:
            self._poller.remove(self.sock.fileno())
        self._accepting = False

    def resume(self) -> None:
        """Take datagrams again."""
        if not self._begun:
            self.start()
        elif not self._accepting:
            self._poller.add(self.sock.fileno(), self, LEVEL)
            self._accepting = True

    def give_up(self) -> None:
        """Leave datagrams of clients to another process; still pass on answers of endpoints."""
        self.pause()

    def retune(self) -> None:
        """Use the changed route: a flow whose endpoint is gone moves at its next datagram."""
        if not self._begun:
            return
        self._endpoints.follow()
        self._flows.sweep()
        if self._live.route.hold is not None:
            self._hold_those_that_ask(self._live.route.hold)

    async def take_backlog(self, piece: Slice) -> None:
        """Nothing to do: `stop` reads the datagrams that have arrived."""

    def stop(self) -> None:
        """Read the datagrams that have arrived, then begin no new flows; open flows go on."""
        if self._accepting:
            self._from_clients(_LAST_BATCH, self._loop.time(), float("inf"))
        self._accepting = False

    def close(self, reason: Reason) -> None:
        """Forget every flow, for `reason`, and release everything."""
        self._begun = self._accepting = False
        self._flows.close(reason)
        self._endpoints.forget()
        self._poller.remove(self.sock.fileno())
        if self.sock.fileno() >= 0 and self._counted:
            self._descriptors.listen(-1)
        close_listener(self.sock)

    def ready(self, events: int) -> None:
        """Read datagrams of clients; see poller.Ready."""
        self._from_clients(_BATCH, self._loop.time(), time.monotonic() + _LONGEST)

    def broke(self) -> None:
        """Go on; see poller.Ready."""

    def _begin(self, key: tuple[Any, pktinfo.Ancillary], now: float) -> UdpFlow | None:
        """Return a new flow that has yet to find its endpoint; None when there may be none."""
        if not self._accepting:
            return None
        if not self._live.counters.takes(self._live.route, key[0][0], now):
            return None
        self._live.arrived(self._live.route.name, self.port, key[0])
        return self._flows.begin(key, now)

    def _from_clients(self, count: int, now: float, over: float) -> None:
        counters, endpoints = self._live.counters, self._endpoints
        for number in range(count):
            if number and time.monotonic() > over:  # the poller reports the rest again
                return
            try:
                size, ancillary, _, client = self.sock.recvmsg_into((self._view,), self._space)
            except OSError:  # no datagram is left, or there is no memory for it
                return
            key = (client, pktinfo.origin(ancillary))
            flow = self._flows.get(key) or self._begin(key, now)
            if flow is None:
                continue
            self._flows.use(flow, now)
            counters.to_upstream += size
            flow.to_upstream += size
            datagram = self._view[:size]
            if flow.held is not None:
                flow.dropped += not flow.hold(bytes(datagram))
            elif flow.generation != endpoints.generation or flow.refused:
                self._aim(flow, datagram)
            else:
                self._to_upstream(flow, datagram)

    def _to_upstream(self, flow: UdpFlow, datagram: bytes | memoryview) -> None:
        if flow.upstream is None:
            return
        try:
            flow.upstream.send(datagram)
        except OSError as error:
            if self._endpoints.refused(flow, error):
                # The error is of an earlier datagram (udp(7)); this datagram has not been sent.
                self._aim(flow, datagram)
            else:
                flow.dropped += 1

    def _from_upstream(self, flow: UdpFlow) -> None:
        now = self._loop.time()
        for _ in range(_BATCH_OF_FLOW):
            if flow.upstream is None:
                return
            try:
                size = flow.upstream.recv_into(self._view)
            except BlockingIOError:
                return
            except OSError as error:
                self._endpoints.refused(flow, error)
                return
            self._flows.use(flow, now)
            self._live.counters.to_client += size
            flow.to_client += size
            if not flow.answered:
                self._endpoints.answered(flow)
            self._to_client(flow, self._view[:size])

    def _to_client(self, flow: UdpFlow, datagram: memoryview) -> None:
        for ancillary in (flow.ancillary, ()):
            try:
                self.sock.sendmsg((datagram,), ancillary, 0, flow.client)
            except OSError as error:
                if error.errno not in _NO_SOURCE:
                    break
            else:
                # Without ancillary data: what the client sent to was a broadcast address.
                flow.ancillary = ancillary
                return
        flow.dropped += 1

    def _aim(self, flow: UdpFlow, datagram: bytes | memoryview) -> None:
        """Find the endpoint of `flow`, then send; keep `datagram` while a name is resolved, or the
        route is held.
        """
        hold = self._live.route.hold
        if hold is not None and flow.candidate is None:
            if self._hold(flow, hold):
                flow.dropped += not flow.hold(bytes(datagram))
            return
        order = self._endpoints.order(flow.client)
        try:
            self._settle(flow, order)
        except NameUnknownError as unknown:
            flow.dropped += not flow.hold(bytes(datagram))
            flow.task = spawn(
                self._ask(flow, order, unknown.endpoint), f"flow of {self._live.route.name}"
            )
        else:
            self._to_upstream(flow, datagram)

    def _hold(self, flow: UdpFlow, hold: Hold, since: float | None = None) -> bool:
        """Let `flow` wait for the release, or end it; tell which. `since`: see HoldQueue.enter."""
        late = partial(
            self._flows.end, flow, Reason.TIMEOUT, "held for longer than the hold allows"
        )
        if self._live.hold_queue.enter(flow, hold, partial(self._released, flow), late, since):
            return True
        self._live.counters.refused += 1
        self._flows.end(flow, Reason.REFUSED, f"{hold.limit} are held already")
        return False

    def _hold_those_that_ask(self, hold: Hold) -> None:
        for flow in self._flows:
            if flow.task is not None:
                flow.task.cancel()
                flow.task = None
                self._hold(flow, hold)

    def _released(self, flow: UdpFlow) -> None:
        for datagram in flow.release():
            if flow not in self._flows:  # refused
                return
            if flow.held is not None:
                flow.dropped += not flow.hold(datagram)
            elif flow.candidate is None or flow.generation != self._endpoints.generation:
                self._aim(flow, datagram)
            else:
                self._to_upstream(flow, datagram)

    async def _ask(self, flow: UdpFlow, order: list[Endpoint], endpoint: Endpoint) -> None:
        """Resolve names until `flow` has an endpoint, or no name is left."""
        while True:
            generation = self._endpoints.generation
            try:
                await self._endpoints.ask(endpoint)
            except UnreachableError as error:
                order.remove(endpoint)
                if not order and generation == self._endpoints.generation:
                    self._refuse(flow, error)
                    return
            if generation != self._endpoints.generation:
                order = self._endpoints.order(flow.client)
            try:
                self._settle(flow, order)
                break
            except NameUnknownError as unknown:
                endpoint = unknown.endpoint
        flow.task = None
        for datagram in flow.release():
            if flow.held is None:
                self._to_upstream(flow, datagram)
            else:  # refused meanwhile, and its datagrams are kept again: keep their order
                flow.dropped += not flow.hold(datagram)

    def _settle(self, flow: UdpFlow, order: Sequence[Endpoint]) -> None:
        """Join `flow` with its endpoint, or end it."""
        try:
            try:
                found = self._endpoints.find(flow, order)
            except NoSourcePortError as error:
                if not self._descriptors.displace(self._flows) or flow not in self._flows:
                    raise UnreachableError(spoken(error)) from error
                found = self._endpoints.find(flow, order)
        except UnreachableError as error:
            self._refuse(flow, error)
            return
        except NoSourcePortError as error:
            self._refuse(flow, UnreachableError(spoken(error)))
            return
        if found is not None:
            self._flows.join(flow, *found)
        flow.generation, flow.refused = self._endpoints.generation, False

    def _refuse(self, flow: UdpFlow, error: UnreachableError) -> None:
        self._live.counters.refused += 1
        flow.task = None  # the calling task, if there is one: it must not be cancelled
        if flow in self._flows:  # else it was ended to make room for another
            self._flows.end(flow, Reason.UNREACHABLE, str(error))

    def _cut(self, flow: UdpFlow, reason: Reason) -> None:
        if flow in self._flows:
            self._flows.end(flow, reason)
