"""Where the flows of one UDP listener go: names that are followed, refusals that are remembered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from ambassador.errors import ResolveError
from ambassador.model import Endpoint, Inet
from ambassador.planes.relay.connect import UnreachableError, spoken
from ambassador.planes.relay.descriptors import EXHAUSTED
from ambassador.planes.relay.flow import UdpFlow, connect_datagrams
from ambassador.planes.relay.state import DOUBT, Candidate, RouteState
from ambassador.ports import Resolver

__all__ = ["UdpEndpoints"]


class UdpEndpoints:
    """Chooses endpoints, and tells by `generation` when a former choice may no longer hold.

    `is_own` tells whether an address of this host is a UDP listener of ours.
    """

    def __init__(
        self,
        state: RouteState,
        port: int,
        resolver: Resolver,
        is_own: Callable[[str, int], bool],
    ) -> None:
        self.generation = 0
        self._state = state
        self._port = port
        self._resolver = resolver
        self._is_own = is_own
        self._loop = asyncio.get_running_loop()
        self._unwatch: list[Callable[[], None]] = []
        self._refused_until: dict[str, float] = {}  # by address

    def follow(self) -> None:
        """Take over the route as it is now and follow the names of its endpoints."""
        self.forget()
        self._changed()
        hosts = [e.address.host for e in self._state.route.endpoints if isinstance(e.address, Inet)]
        self._unwatch = [self._resolver.watch(host, self._changed) for host in dict.fromkeys(hosts)]

    def forget(self) -> None:
        """Follow names no longer."""
        for unwatch in self._unwatch:
            unwatch()
        self._unwatch = []

    async def find(self, flow: UdpFlow) -> tuple[socket.socket, Candidate] | None:
        """Return a connected socket for `flow` and where it leads; None when the one it has may
        stay: the endpoint shall see the same client for as long as it can.

        Raises UnreachableError.
        """
        if await self._may_stay(flow):
            return None
        reason = ""
        for endpoint in self._state.choose(self._loop.time()):
            try:
                candidates = await self._state.candidates(endpoint, self._port, self._resolver)
            except ResolveError as error:
                reason = str(error)
                self._state.failed(endpoint, reason, self._loop.time())
                continue
            for candidate in self._trusted_first(candidates):
                if candidate == flow.candidate:
                    return None
                try:
                    return connect_datagrams(candidate, self._is_own), candidate
                except OSError as error:
                    reason = f"{candidate}: {spoken(error)}"
                    if error.errno in EXHAUSTED:
                        raise UnreachableError(reason) from error  # ours to bear
            self._failed(endpoint, reason)
        raise UnreachableError(reason)

    def refused(self, flow: UdpFlow, error: OSError) -> None:
        """Note that the endpoint of `flow` cannot be reached: its next datagram looks anew."""
        if flow.candidate is not None:
            flow.refused, flow.answered = True, False
            self._refused_until[flow.candidate.address] = self._loop.time() + DOUBT
            self._failed(flow.candidate.endpoint, f"{flow.candidate}: {spoken(error)}")

    def answered(self, flow: UdpFlow) -> None:
        """Note that the endpoint of `flow` is there."""
        if flow.candidate is not None:
            flow.answered, flow.refused = True, False
            self._refused_until.pop(flow.candidate.address, None)
            self._state.reached(flow.candidate.endpoint, self._loop.time())

    async def _may_stay(self, flow: UdpFlow) -> bool:
        mine = flow.candidate
        if mine is None or flow.refused:
            return False
        for endpoint in self._state.route.endpoints:
            if endpoint.address != mine.endpoint.address:
                continue
            try:
                now = await self._state.candidates(endpoint, self._port, self._resolver)
            except ResolveError:
                return True
            return any((c.address, c.port) == (mine.address, mine.port) for c in now)
        return False

    def _trusted_first(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        now = self._loop.time()
        return sorted(candidates, key=lambda c: self._refused_until.get(c.address, now) > now)

    def _failed(self, endpoint: Endpoint, reason: str) -> None:
        self._state.failed(endpoint, reason, self._loop.time())
        if isinstance(endpoint.address, Inet):
            self._resolver.doubt(endpoint.address.host)

    def _changed(self, _: Sequence[str] = ()) -> None:
        self.generation += 1
