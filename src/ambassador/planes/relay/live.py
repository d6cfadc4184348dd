"""What the relay knows of one route while it runs: counters, and evidence about endpoints."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ambassador import log
from ambassador.core import pick
from ambassador.core.located import at
from ambassador.core.usable import usable, working
from ambassador.model import Address, Endpoint, Inet, Route
from ambassador.planes.relay import choice
from ambassador.planes.relay.choice import Warming
from ambassador.planes.relay.doubts import Doubts
from ambassador.planes.relay.evidence import Candidate, Counters, Evidence
from ambassador.planes.relay.hold import HoldQueue
from ambassador.planes.relay.resets import EarlyResets
from ambassador.planes.relay.serials import serials
from ambassador.ports import ClientArrived, EndpointMet, EndpointNoticed, Resolver
from ambassador.spec import format_endpoint

__all__ = ["LiveRoute"]

_MOST_LED = 4096  # candidates that are remembered for one route; 200 bytes each


@dataclass(slots=True, weakref_slot=True)
class LiveRoute:
    """The running side of a route; `route` is replaced when it is changed in place."""

    route: Route
    noticed: EndpointNoticed = lambda *_: None
    arrived: ClientArrived = lambda *_: None
    look_again: Callable[[], None] = lambda: None  # called when endpoints to use may have changed
    counters: Counters = field(default_factory=Counters)
    hold_queue: HoldQueue = field(default_factory=HoldQueue)
    _turn: int = 0
    usable_now: tuple[Endpoint, ...] = ()
    places: tuple[int, ...] = ()
    # By address as it is written: an endpoint stays the same when admin, health or weight change.
    evidence: dict[Address, Evidence] = field(default_factory=dict)
    serial: int = field(default_factory=serials)
    number: int = 0  # the number of its last session
    _failing: bool = False  # some endpoint of the route has failed
    # Candidates, by the place of the endpoint, the port that clients came to, and the address.
    _led: dict[tuple[int, int, str], Candidate] = field(default_factory=dict)
    _doubts: Doubts = field(init=False)
    resets: EarlyResets = field(init=False)
    warming: Warming = field(default_factory=Warming)

    def __post_init__(self) -> None:
        own = weakref.ref(self)  # no cycle: an object that was frozen is freed by reference counts

        def turned() -> None:
            if (live := own()) is not None:
                live.look_again()

        self._doubts, self.resets = Doubts(turned), EarlyResets(turned)
        self.change(self.route)

    def new_number(self) -> int:
        """Return a number that no other session of the route has."""
        self.number += 1
        return self.number

    def new_id(self) -> str:
        """Return an id that no other session of the relay has."""
        return self.id_of(self.new_number())

    def id_of(self, number: int) -> str:
        """Return the id of its session with this `number`."""
        return f"r{self.serial}.{number}"

    def change(self, route: Route) -> None:
        """Use `route` for new sessions; what is known of endpoints that stay is kept."""
        self.route = route
        self._led.clear()
        before, self.usable_now = self.usable_now, tuple(filter(usable, route.endpoints))
        self.warming.change(before, self.usable_now, route.slow_start)
        self.places = pick.cycle([endpoint.weight for endpoint in self.usable_now])
        # Of endpoints that left, those with open sessions: they may come back before these end.
        busy = {address: known for address, known in self.evidence.items() if known.open}
        here = dict.fromkeys(endpoint.address for endpoint in route.endpoints)
        for known in self.evidence.values():  # also evidence that is dropped below: see `opened`
            known.here = known.address in here
        self.evidence = busy | {a: self.evidence.get(a) or Evidence(a) for a in here}
        self._look_for_failures()
        self.look_again()

    @property
    def open_by_endpoint(self) -> dict[Address, int]:
        """The open sessions of each endpoint, also of endpoints that have left the route."""
        return {address: known.open for address, known in self.evidence.items()}

    def met(self, carried: Mapping[Address, tuple[int, int]]) -> dict[Address, EndpointMet]:
        """Return what clients have met at each endpoint; `carried`: the bytes of open sessions."""
        return {
            address: known.met(*carried.get(address, (0, 0)))
            for address, known in self.evidence.items()
        }

    def choose(self, now: float, client: str = "") -> list[Endpoint]:
        """Return every endpoint that gets new sessions, the first to try first. `now` in seconds;
        `client` is the address of the client that is led there.

        An empty list where all of them are drained, in maintenance or unhealthy.
        """
        if len(self.usable_now) <= 1:
            return list(self.usable_now)
        self._turn += 1
        return choice.choose(self, self._turn - 1, now, client)

    @property
    def in_doubt(self) -> bool:
        """Whether some endpoint, or an address of one, did not answer lately."""
        return self._failing or bool(self._doubts.until or self.resets.out.until)

    def sure(self, listen_port: int, resolver: Resolver, client: str = "") -> Candidate | None:
        """Return where to connect a client of `listen_port`, when all names are resolved and no
        endpoint or address is in doubt; None when an address has to be looked for.
        """
        usable = self.usable_now
        if self._failing or self._doubts.until or self.resets.out.until or not usable:
            return None  # `in_doubt`, for each client
        place = 0
        if len(usable) > 1:
            for endpoint in usable:
                if isinstance(endpoint.address, Inet) and not resolver.known(endpoint.address.host):
                    return None
            place = usable.index(self.choose(0.0, client)[0])
        addresses = self._addresses(usable[place], resolver)
        if not addresses:
            return None
        if len(addresses) == 1:
            address = addresses[0]
        else:
            address = choice.arrange(self, usable[place], addresses, client)[0]
        found = self.candidate(place, listen_port, address)
        if found.evidence is not None:
            found.evidence.addresses = addresses
        return found

    def order(
        self, listen_port: int, resolver: Resolver, now: float, client: str = ""
    ) -> Sequence[Candidate]:
        """Return where to try to connect a client of `listen_port` at once, in order: the addresses
        that have answered lately; before them perhaps one that has not, which no other client tries
        now. Nothing where all are in doubt, or a name has to be resolved first.
        """
        self._doubts.forget(now)
        ejected = self.resets.out
        ejected.forget(now)
        found: list[Candidate] = []
        for endpoint in self.choose(now, client):
            place = self.usable_now.index(endpoint)
            addresses = dict.fromkeys(self.known(endpoint, resolver))
            if not addresses:
                if self.evidence[endpoint.address].failing_since is None:
                    return ()
                continue
            arranged = choice.arrange(self, endpoint, tuple(addresses), client)
            found += [self.candidate(place, listen_port, address) for address in arranged]
        answering = [one for one in found if (one.address, one.port) not in self._doubts]
        trusted = [one for one in answering if (one.address, one.port) not in ejected]
        first = (found[0].address, found[0].port) if found else ("", 0)
        if trusted and (self._doubts.claim(first, now) or ejected.claim(first, now)):
            return [found[0], *trusted]
        return [*trusted, *(one for one in answering if one not in trusted)] if ejected else trusted

    def is_hopeless(self, listen_port: int, resolver: Resolver) -> bool:
        """Tell whether there is nothing a client could try at once."""
        if not self.in_doubt:
            return False
        return not any(
            at(address, self.route.endpoint_port(endpoint, listen_port)) not in self._doubts
            for endpoint in self.usable_now
            for address in self.known(endpoint, resolver)
        )

    def known(self, endpoint: Endpoint, resolver: Resolver) -> Sequence[str]:
        """Return the addresses of `endpoint`; none where its name has to be resolved first."""
        addresses = self._addresses(endpoint, resolver)
        if addresses and isinstance(endpoint.address, Inet):
            self.evidence[endpoint.address].addresses = addresses
        return addresses

    @staticmethod
    def _addresses(endpoint: Endpoint, resolver: Resolver) -> Sequence[str]:
        where = endpoint.address
        if not isinstance(where, Inet):
            return (where.path,)
        return working(endpoint, resolver.known(where.host))

    def candidate(self, place: int, listen_port: int, address: str) -> Candidate:
        """Return the candidate for clients of `listen_port`: that `address` of endpoint `place`."""
        found = self._led.get((place, listen_port, address))
        if found is None:
            if len(self._led) > _MOST_LED:  # a name that has new addresses again and again
                self._led.clear()
            endpoint = self.usable_now[place]
            port = self.route.endpoint_port(endpoint, listen_port)
            known = self.evidence[endpoint.address]
            found = Candidate(endpoint, *at(address, port), known, address)
            self._led[place, listen_port, address] = found
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
        addresses = working(endpoint, await resolver.resolve(endpoint.address.host))
        known = self.evidence.get(endpoint.address)
        if known is not None:
            known.addresses = addresses
        once = dict.fromkeys(addresses)
        return [Candidate(endpoint, *at(address, port), known, address) for address in once]

    def turned(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return `candidates`, the addresses of one endpoint, in the order for the next session."""
        endpoint = candidates[0].endpoint if candidates else None
        if endpoint is None or len(candidates) < 2 or endpoint not in self.usable_now:
            return list(candidates)
        by_address = {one.text: one for one in candidates}
        arranged = choice.arrange(self, endpoint, list(by_address), "")
        return [by_address[address] for address in arranged]

    def trusted_first(self, candidates: Sequence[Candidate], now: float) -> list[Candidate]:
        """Return `candidates`, last the addresses that did not answer lately."""
        self._doubts.forget(now)  # else an address that is never tried again would stop `sure`
        if len(candidates) == 1:
            return list(candidates)
        ordered = sorted(
            candidates, key=lambda one: self._doubts.is_doubted((one.address, one.port), now)
        )
        self._doubts.claim((ordered[0].address, ordered[0].port), now)
        return ordered

    def overtaken(self, candidate: Candidate, now: float) -> None:
        """Note that `candidate` takes so long to answer that another is tried beside it."""
        self._doubts.add((candidate.address, candidate.port), now)

    def missed(self, candidate: Candidate, reason: str, now: float) -> None:
        """Note that `candidate` did not answer, and its endpoint, when no address of it does."""
        self.address_failed(candidate, now)
        endpoint = candidate.endpoint
        known = self.evidence.get(endpoint.address)
        addresses = (known.addresses if known else ()) or (candidate.address,)
        if all(at(address, candidate.port) in self._doubts for address in addresses):
            self.failed(endpoint, reason, now)

    def answered(self, candidate: Candidate, now: float) -> None:
        """Note that `candidate` answered."""
        if self.in_doubt:
            self.address_answered(candidate)
            self.reached(candidate.endpoint, now)

    def address_failed(self, candidate: Candidate, now: float) -> None:
        """Note that `candidate` did not answer."""
        self._doubts.add((candidate.address, candidate.port), now)
        self.noticed(self.route.name, candidate.endpoint, candidate.text, False)

    def address_answered(self, candidate: Candidate) -> None:
        """Note that `candidate` answered."""
        if self._doubts.remove((candidate.address, candidate.port)):
            self.noticed(self.route.name, candidate.endpoint, candidate.text, True)

    def opened(self, candidate: Candidate, *, elsewhere: bool = False) -> Evidence | None:
        """Count a session that was connected to `candidate`; return the evidence for `closed`.
        `elsewhere`: another process has begun the session, and has counted it as opened.
        """
        known = candidate.evidence
        if known is None or not known.here:  # the endpoint left meanwhile, and may be back
            address = candidate.endpoint.address
            known = self.evidence.get(address) or known
            if known is None and not elsewhere:
                return None
            known = self.evidence[address] = known or Evidence(address, here=False)
        known.open += 1
        known.opened += not elsewhere
        known.at[candidate.text] = known.at.get(candidate.text, 0) + 1
        return known

    def closed(
        self, known: Evidence, candidate: Candidate, to_upstream: int = 0, to_client: int = 0
    ) -> None:
        """Count the end of a session that `opened` has counted in `known`, and its bytes."""
        known.open -= 1
        known.to_upstream += to_upstream
        known.to_client += to_client
        known.at[candidate.text] -= 1
        if not known.at[candidate.text]:
            del known.at[candidate.text]
        if not known.open and not known.here:
            self.evidence.pop(known.address, None)

    def failed(self, endpoint: Endpoint, reason: str, now: float) -> None:
        """Note that `endpoint` could not be reached; the first time is logged."""
        known = self.evidence.get(endpoint.address)
        if known is None or not known.here:  # the endpoint left meanwhile
            return
        written = (where := format_endpoint(endpoint)).partition("://")[2]
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
            self.look_again()
            text = f"cannot reach {where}: {reason}"
            self.say(log.WARNING, "endpoint_unreachable", where, text, reason=reason)

    def reached(self, endpoint: Endpoint, now: float) -> None:
        """Note that `endpoint` answered; the first time after failures is logged."""
        known = self.evidence.get(endpoint.address)
        if known is None or known.failing_since is None:
            return
        seconds, known.failed_at, known.failing_since = now - known.failing_since, None, None
        others = [one for one in self.usable_now if one.address != endpoint.address]
        self.warming.change(others, self.usable_now, self.route.slow_start)
        self._look_for_failures()
        self.look_again()
        self.noticed(self.route.name, endpoint, "", True)
        where = format_endpoint(endpoint)
        text = f"reaches {where} again, {seconds:.1f} s after it first failed"
        self.say(log.INFO, "endpoint_reachable", where, text, seconds=round(seconds, 3))

    def say(self, level: int, name: str, where: str, text: str, **fields: object) -> None:
        """Log an event of an endpoint."""
        route = self.route.name
        log.event(level, name, f"{route}  {text}", route=route, endpoint=where, **fields)

    def _look_for_failures(self) -> None:
        self._failing = any(
            known.here and known.failing_since is not None for known in self.evidence.values()
        )
