"""What the relay knows of one route while it runs: counters, and evidence about endpoints."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ambassador import log
from ambassador.core import pick
from ambassador.core.usable import usable
from ambassador.model import Address, Endpoint, Inet, Reason, Route
from ambassador.planes.relay.hold import HoldQueue
from ambassador.ports import ClientArrived, EndpointMet, EndpointNoticed, Resolver
from ambassador.spec import format_address, format_endpoint

__all__ = ["Candidate", "Counters", "Evidence", "LiveRoute"]

# An endpoint that failed is tried last for this long; long enough to spare most clients the
# wait for it, short enough to come back soon after a restart.
DOUBT = 5.0

_serials = itertools.count(1)


@dataclass(slots=True)
class Evidence:
    """What is known of one endpoint of a route."""

    address: Address
    here: bool = True  # among the endpoints of the route
    open: int = 0
    failed_at: float | None = None  # the last failure that no success followed
    failing_since: float | None = None
    opened: int = 0
    to_upstream: int = 0  # bytes of sessions that have ended
    to_client: int = 0
    failures: int = 0
    error: str = ""  # the last failure, and when it was (seconds since 1970)
    failed_on: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One address a session may connect to. `address` is an IP literal, or a path (port 0)."""

    endpoint: Endpoint
    address: str
    port: int
    evidence: Evidence | None = field(default=None, repr=False, compare=False)
    _text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        inet = format_address(Inet(self.address, self.port)) if self.port else ""
        object.__setattr__(self, "_text", inet or f"unix://{self.address}")

    def __str__(self) -> str:
        return self._text

    @property
    def place(self) -> tuple[str, int]:
        """The address with the first port of the endpoint (0 for a path)."""
        where = self.endpoint.address
        return self.address, where.port if isinstance(where, Inet) else 0


@dataclass(slots=True)
class Counters:
    """What a route has carried since it was added; bytes as the relay read them."""

    opened: int = 0
    open: int = 0
    refused: int = 0
    to_upstream: int = 0
    to_client: int = 0
    closed: Counter[Reason] = field(default_factory=Counter)


@dataclass(slots=True)
class LiveRoute:
    """The running side of a route; `route` is replaced when it is changed in place."""

    route: Route
    noticed: EndpointNoticed = lambda *_: None
    arrived: ClientArrived = lambda *_: None
    counters: Counters = field(default_factory=Counters)
    hold_queue: HoldQueue = field(default_factory=HoldQueue)
    _turn: int = 0
    _usable: tuple[Endpoint, ...] = ()
    _places: tuple[int, ...] = ()
    # By address as it is written: admin, health and weight may change, it is the same endpoint.
    _evidence: dict[Address, Evidence] = field(default_factory=dict)
    _serial: int = field(default_factory=lambda: next(_serials))
    _number: int = 0
    _failing: bool = False  # some endpoint of the route
    # Where clients were led last: by the place of the endpoint and the port they came to.
    _led: dict[tuple[int, int], Candidate] = field(default_factory=dict)
    _doubted: dict[tuple[str, int], float] = field(default_factory=dict)  # until when

    def __post_init__(self) -> None:
        self.change(self.route)

    def new_number(self) -> int:
        """Return what no other session of the route is called."""
        self._number += 1
        return self._number

    def new_id(self) -> str:
        """Return what no other session of the relay is called."""
        return self.id_of(self.new_number())

    def id_of(self, number: int) -> str:
        """Return what no other session of the relay is called."""
        return f"r{self._serial}.{number}"

    def change(self, route: Route) -> None:
        """Use `route` for new sessions; what is known of endpoints that stay is kept."""
        self.route = route
        self._led.clear()
        self._usable = tuple(filter(usable, route.endpoints))
        self._places = pick.cycle([endpoint.weight for endpoint in self._usable])
        # Of one that left, its open sessions: it may come back before they end.
        busy = {address: known for address, known in self._evidence.items() if known.open}
        here = [endpoint.address for endpoint in route.endpoints]
        for known in self._evidence.values():  # those that are forgotten, too: see `opened`
            known.here = known.address in here
        self._evidence = busy | {a: self._evidence.get(a) or Evidence(a) for a in here}
        self._look_for_failures()

    @property
    def open_by_endpoint(self) -> dict[Address, int]:
        """The open sessions of each endpoint, those that have left the route among them."""
        return {address: known.open for address, known in self._evidence.items()}

    def met(self, carried: Mapping[Address, tuple[int, int]]) -> dict[Address, EndpointMet]:
        """Return what clients have met at each endpoint; `carried` are the bytes of sessions that
        are still open.
        """
        found = {}
        for address, known in self._evidence.items():
            up, down = carried.get(address, (0, 0))
            found[address] = EndpointMet(
                known.opened,
                known.to_upstream + up,
                known.to_client + down,
                known.failures,
                known.error,
                known.failed_on,
                known.failing_since is not None,
            )
        return found

    def choose(self, now: float) -> list[Endpoint]:
        """Return every endpoint that gets new sessions, the first to try first. `now` in seconds.

        None, where all of them are drained, in maintenance or unhealthy.
        """
        endpoints = self._usable
        if len(endpoints) <= 1:
            return list(endpoints)
        evidence = [self._evidence[endpoint.address] for endpoint in endpoints]
        indexes = pick.order(
            endpoints,
            self.route.pick,
            turn=self._turn,
            places=self._places,
            open_sessions=[known.open for known in evidence],
            failed=[
                known.failed_at is not None and now < known.failed_at + DOUBT for known in evidence
            ],
            chance=random.random(),
        )
        self._turn += 1
        return [endpoints[index] for index in indexes]

    def sure(self, listen_port: int, resolver: Resolver) -> Candidate | None:
        """Return where to connect a client of `listen_port`, when that is known without asking and
        nothing that has not worked lately is in the way; None when it has to be searched for.
        """
        usable = self._usable
        if self._failing or self._doubted or not usable:
            return None
        place = 0
        if len(usable) > 1:
            for endpoint in usable:
                if isinstance(endpoint.address, Inet) and not resolver.known(endpoint.address.host):
                    return None
            place = usable.index(self.choose(0.0)[0])
        where = usable[place].address
        found = self._led.get((place, listen_port))
        if isinstance(where, Inet):
            if found is not None and found.address == where.host:
                return found
            addresses = resolver.known(where.host)
            if not addresses:
                return None
            address = addresses[0]
        else:
            address = where.path
        if found is None or found.address != address:
            port = self.route.endpoint_port(usable[place], listen_port)
            known = self._evidence[where]
            found = self._led[place, listen_port] = Candidate(usable[place], address, port, known)
        return found

    async def candidates(
        self, endpoint: Endpoint, listen_port: int, resolver: Resolver
    ) -> Sequence[Candidate]:
        """Return the addresses of `endpoint` for a client of `listen_port`.

        Raises ResolveError when its name never had an address.
        """
        if not isinstance(endpoint.address, Inet):
            return [Candidate(endpoint, endpoint.address.path, 0)]
        port = self.route.endpoint_port(endpoint, listen_port)
        addresses = await resolver.resolve(endpoint.address.host)
        return [Candidate(endpoint, address, port) for address in addresses]

    def trusted_first(self, candidates: Sequence[Candidate], now: float) -> list[Candidate]:
        """Return `candidates`, those last that did not answer lately: one silent address of a
        name must not keep every client waiting. When its time is over one client tries it again.
        """
        if self._doubted:  # else one that is never tried again would be in the way of `sure`
            self._forget(now)
        if len(candidates) == 1:
            return list(candidates)
        until = {one: self._doubted.get((one.address, one.port), now) for one in candidates}
        ordered = sorted(candidates, key=lambda one: until[one] > now)
        if (ordered[0].address, ordered[0].port) in self._doubted:
            self.address_failed(ordered[0], now)  # for all others, until it has answered
        return ordered

    def address_failed(self, candidate: Candidate, now: float) -> None:
        """Note that `candidate` did not answer."""
        self._forget(now)
        self._doubted[candidate.address, candidate.port] = now + DOUBT
        self.noticed(self.route.name, candidate.endpoint, candidate.address, False)

    def address_answered(self, candidate: Candidate) -> None:
        """Note that `candidate` answered."""
        if self._doubted.pop((candidate.address, candidate.port), None) is not None:
            self.noticed(self.route.name, candidate.endpoint, candidate.address, True)

    def opened(self, candidate: Candidate) -> Evidence | None:
        """Count a session that was connected to `candidate`; return where, for `closed`."""
        known = candidate.evidence
        if known is None or not known.here:  # it left in the meantime, and may be back
            address = candidate.endpoint.address
            known = self._evidence.get(address) or known
            if known is None:
                return None
            self._evidence[address] = known
        known.open += 1
        known.opened += 1
        return known

    def closed(self, known: Evidence, to_upstream: int = 0, to_client: int = 0) -> None:
        """Count the end of a session that was counted in `known`, with its bytes."""
        known.open -= 1
        known.to_upstream += to_upstream
        known.to_client += to_client
        if not known.open and not known.here:
            self._evidence.pop(known.address, None)

    def failed(self, endpoint: Endpoint, reason: str, now: float) -> None:
        """Note that `endpoint` could not be reached; the first time is logged."""
        known = self._evidence.get(endpoint.address)
        if known is None or not known.here:  # changed away meanwhile
            return
        where = format_endpoint(endpoint)
        written = where.partition("://")[2]
        reason = reason.removeprefix(f"{written}: ")
        if reason.startswith(f"{written} "):
            reason = f"it{reason.removeprefix(written)}"
        known.failed_at = now
        known.failures += 1
        known.error, known.failed_on = reason, time.time()
        self.noticed(self.route.name, endpoint, "", False)
        if known.failing_since is None:
            known.failing_since = now
            self._failing = True
            log.event(
                log.WARNING,
                "endpoint_unreachable",
                f"{self.route.name}  cannot reach {where}: {reason}",
                route=self.route.name,
                endpoint=where,
                reason=reason,
            )

    def reached(self, endpoint: Endpoint, now: float) -> None:
        """Note that `endpoint` answered; the first time after failures is logged."""
        known = self._evidence.get(endpoint.address)
        if known is None or known.failing_since is None:
            return
        seconds = now - known.failing_since
        known.failed_at = known.failing_since = None
        self._look_for_failures()
        self.noticed(self.route.name, endpoint, "", True)
        where = format_endpoint(endpoint)
        log.event(
            log.INFO,
            "endpoint_reachable",
            f"{self.route.name}  reaches {where} again, {seconds:.1f} s after it first failed",
            route=self.route.name,
            endpoint=where,
            seconds=round(seconds, 3),
        )

    def _forget(self, now: float) -> None:
        """Doubt no longer what nobody has tried for a while."""
        recent = {where: until for where, until in self._doubted.items() if until + DOUBT > now}
        self._doubted = recent

    def _look_for_failures(self) -> None:
        self._failing = any(
            known.here and known.failing_since is not None for known in self._evidence.values()
        )
