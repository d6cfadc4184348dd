"""The endpoints for flows of one UDP listener: their names are watched, refusals are remembered.

A new flow must find its endpoint without a turn of the event loop, or its first datagrams would
have to be kept. So the addresses of a name are remembered until its watch reports a change.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator, Sequence

from ambassador.core.usable import keeps, usable
from ambassador.errors import ResolveError
from ambassador.model import Endpoint, Inet
from ambassador.planes.relay.choice import affinity
from ambassador.planes.relay.descriptors import EXHAUSTED
from ambassador.planes.relay.doubts import Doubts, Place
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.flow import UdpFlow, connect_datagrams, has_heard_errors
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.refusal import UnreachableError, spoken
from ambassador.planes.relay.source_ports import NoSourcePortError, SourcePorts
from ambassador.ports import Resolver
from ambassador.spec import is_ip

__all__ = ["NameUnknownError", "UdpEndpoints"]

# The endpoint cannot be reached; other errors only say that this datagram cannot be sent now.
_UNREACHABLE = frozenset(
    {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}
)

# These say nothing of an endpoint: a datagram too large for its path, no memory.
_OF_THE_DATAGRAM = frozenset({errno.EMSGSIZE, errno.ENOBUFS, errno.ENOMEM})


class NameUnknownError(Exception):
    """The name of `endpoint` has to be resolved first."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        super().__init__()


class UdpEndpoints:
    """Chooses endpoints, and tells by `generation` when an earlier choice may no longer hold.

    `is_own` tells whether an address of this host is a UDP listener of ours.
    """

    def __init__(
        self,
        live: LiveRoute,
        port: int,
        resolver: Resolver,
        is_own: Callable[[str, int], bool],
        ports: SourcePorts,
    ) -> None:
        self.generation = 0
        self._live = live
        self._port = port
        self._resolver = resolver
        self._is_own = is_own
        self._ports = ports
        self._loop = asyncio.get_running_loop()
        self._unwatch: list[Callable[[], None]] = []
        self._known: dict[Endpoint, list[Candidate]] = {}
        self._doubts = Doubts()

    def follow(self) -> None:
        """Use the route as it is now, and watch the names of its endpoints."""
        self.forget()
        self._changed()
        hosts = [e.address.host for e in self._live.route.endpoints if isinstance(e.address, Inet)]
        self._unwatch = [self._resolver.watch(host, self._changed) for host in dict.fromkeys(hosts)]

    def forget(self) -> None:
        """Watch names no longer."""
        for unwatch in self._unwatch:
            unwatch()
        self._unwatch = []

    def order(self, client: object) -> list[Endpoint]:
        """Return the endpoints for one flow of `client`, as recvmsg(2) names it, in order."""
        return self._live.choose(self._loop.time(), affinity(self._live.route, client))

    async def ask(self, endpoint: Endpoint) -> None:
        """Resolve the addresses of `endpoint`. Raises UnreachableError when it has none."""
        generation = self.generation
        if isinstance(endpoint.address, Inet):
            self._resolver.wanted(endpoint.address.host)
        try:
            found = await self._live.candidates(endpoint, self._port, self._resolver)
        except ResolveError as error:
            self._live.failed(endpoint, str(error), self._loop.time())
            raise UnreachableError(str(error)) from error
        if generation == self.generation:
            self._known[endpoint] = list(found)

    def find(
        self, flow: UdpFlow, order: Sequence[Endpoint]
    ) -> tuple[socket.SocketType, Candidate] | None:
        """Return a connected socket for `flow` and where it leads. None when `flow` may keep the
        socket it has: as long as possible the endpoint sees the same client address.

        Raises NoSourcePortError, UnreachableError, and NameUnknownError where the name of one of
        `order` has to be resolved first.
        """
        if self.stays(flow):
            return None
        reason = "no endpoint takes new sessions"
        failed: dict[Endpoint, str] = {}
        for candidate in self._in_turn(order):
            if candidate == flow.candidate:
                return None
            try:
                sources = self._live.route.source
                sock = connect_datagrams(candidate, self._is_own, self._ports, sources)
            except NoSourcePortError:
                raise
            except OSError as error:
                failed[candidate.endpoint] = reason = f"{candidate}: {spoken(error)}"
                if error.errno in EXHAUSTED:
                    raise UnreachableError(reason) from error  # a shortage of this host
            else:
                failed.pop(candidate.endpoint, None)
                self._all_failed(failed)
                return sock, candidate
        self._all_failed(failed)
        raise UnreachableError(reason)

    def _in_turn(self, order: Sequence[Endpoint]) -> Iterator[Candidate]:
        """Yield where a flow may lead, in order. Addresses that could not be reached lately come
        last; but one flow in a while tries such an address first.
        """
        aside = []
        first = True
        for endpoint in order:
            for candidate in self._live.turned(self._candidates(endpoint)):
                if self._is_aside(_place(candidate), first):
                    aside.append(candidate)
                else:
                    yield candidate
                first = False
        yield from aside

    def _is_aside(self, place: Place, first: bool) -> bool:
        now = self._loop.time()
        if self._doubts.endured(place, now):
            self._doubts.remove(place)
        return place in self._doubts and not (first and self._doubts.claim(place, now))

    def _all_failed(self, failed: dict[Endpoint, str]) -> None:
        for endpoint, reason in failed.items():
            self._failed(endpoint, reason)

    def stays(self, flow: UdpFlow) -> bool:
        """Tell whether `flow` may stay where it is: its address belongs to the route, to an
        endpoint that keeps what it has, and answers.
        """
        mine = flow.candidate
        if mine is None or flow.refused:
            return False
        where = (mine.address, mine.port)
        for endpoint in filter(keeps, self._live.route.endpoints):
            if endpoint.address == mine.endpoint.address:
                try:
                    candidates = self._candidates(endpoint)
                except NameUnknownError:
                    if usable(endpoint):
                        raise
                    return True  # drained: its name is not resolved any longer
                return any((one.address, one.port) == where for one in candidates)
        return False

    def refused(self, flow: UdpFlow, error: OSError) -> bool:
        """Note that the endpoint of `flow` cannot be reached, where `error` says so: its next
        datagram looks for an endpoint again. Return whether the error is of an earlier datagram
        (udp(7)), so that the datagram that is just being sent may be sent to another endpoint.
        """
        if flow.upstream is None or flow.candidate is None:
            return False
        earlier = has_heard_errors(flow.upstream)
        if error.errno in _OF_THE_DATAGRAM:
            return False
        if earlier or error.errno in _UNREACHABLE:
            candidate, endpoint = flow.candidate, flow.candidate.endpoint
            flow.refused, flow.answered = True, False
            self._doubts.add(_place(candidate), self._loop.time())
            self._live.noticed(self._live.route.name, endpoint, candidate.text, False)
            known = self._known.get(endpoint) or [candidate]
            if all(_place(one) in self._doubts for one in known):
                self._failed(endpoint, f"{candidate}: {spoken(error)}")
            elif isinstance(endpoint.address, Inet):
                self._resolver.doubt(endpoint.address.host)
        return earlier or error.errno == errno.ECONNREFUSED

    def answered(self, flow: UdpFlow) -> None:
        """Note that the endpoint of `flow` has answered."""
        if flow.candidate is not None:
            flow.answered, flow.refused = True, False
            endpoint = flow.candidate.endpoint
            if self._doubts.remove(_place(flow.candidate)):
                self._live.noticed(self._live.route.name, endpoint, flow.candidate.text, True)
            self._live.reached(endpoint, self._loop.time())

    def _candidates(self, endpoint: Endpoint) -> list[Candidate]:
        known = self._known.get(endpoint)
        if known is None:
            address = endpoint.address
            if not isinstance(address, Inet) or not is_ip(address.host):
                raise NameUnknownError(endpoint)
            port = self._live.route.endpoint_port(endpoint, self._port)
            known = self._known[endpoint] = [Candidate(endpoint, address.host, port)]
        return known

    def _failed(self, endpoint: Endpoint, reason: str) -> None:
        self._live.failed(endpoint, reason, self._loop.time())
        if isinstance(endpoint.address, Inet):
            self._resolver.doubt(endpoint.address.host)

    def _changed(self, _: Sequence[str] = ()) -> None:
        self.generation += 1
        self._known.clear()
        self._doubts.forget(self._loop.time())


def _place(candidate: Candidate) -> Place:
    return candidate.address, candidate.port
