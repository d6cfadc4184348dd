"""Collect evidence that ways do not work, and take them out of use (`evidence` has the rules)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.model import Endpoint, Proto
from ambassador.planes.kernel.evidence import (
    SEEN,
    Event,
    Fault,
    Kind,
    Suspect,
    step,
)
from ambassador.planes.kernel.hindrances import fault, guarding
from ambassador.planes.kernel.host import Host
from ambassador.planes.kernel.peers import answering, family_of
from ambassador.planes.kernel.registry import Registry
from ambassador.planes.kernel.route import KernelRoute
from ambassador.planes.kernel.ruleset import Key, Way
from ambassador.planes.kernel.table import Table
from ambassador.planes.kernel.telling import tell, tell_of_guard
from ambassador.spec import format_endpoint
from ambassador.tasks import spawn

__all__ = ["Doubts"]

# Linux repeats a SYN after 1 s (RFC 6298, section 2): a client that comes to the relay sooner after
# its way was installed may have sent its first SYN before that, so it is no evidence.
# _LATE: nor is a client that was under way when its way was doubted for the first time, and that a
# busy event loop accepts late.
_FRESH = 0.95
_LATE = 0.3
_PATIENCE = 1.0  # seconds for an address to answer
# Seconds in which the relay tries the endpoint itself, and tells if it refuses.
_HEARSAY = 0.5
_BETWEEN = 0.2  # seconds between two inquiries, whatever the number of clients


class Doubts:
    """The doubts about the ways of all `routes` in the kernel. `change` has the ways of a route
    installed anew, soon. `guards`: a way is not used where a rule of this host guards its port.
    `answers` tells whether a program accepts connections at an address and port.
    """

    def __init__(
        self,
        routes: Registry,
        host: Host,
        table: Table,
        change: Callable[[KernelRoute], None],
        *,
        guards: bool,
        answers: Callable[[str, int], Awaitable[bool]] | None = None,
    ) -> None:
        self._host = host
        self._table = table
        self._change = change
        self._guards = guards
        self._answers = answers or answering
        self._closed = False
        self._routes = routes
        self._timer: asyncio.TimerHandle | None = None
        self._passed_by: set[tuple[str, str]] = set()  # route and guard that are logged already
        self._came: dict[tuple[KernelRoute, Key], Way] = {}
        self._inquiring: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Do nothing any longer."""
        self._closed = True
        self._came.clear()
        for going_on in (self._timer, self._inquiring, self._ending):
            if going_on is not None:
                going_on.cancel()
        self._timer = None

    def noticed(self, name: str, endpoint: Endpoint, address: str, reachable: bool) -> None:
        """Called by the relay: whether it could reach `endpoint` of the route `name`, at `address`
        or (empty) at any of its addresses.
        """
        one = self._routes.named(name)
        if one is None or one.refusal or endpoint not in one.route.endpoints:
            return
        suspect = Suspect(endpoint, address)
        if reachable:
            self._learn(one, suspect, Event.WORKS)
        else:
            where = address or format_endpoint(endpoint)
            found = Fault(Kind.UNREACHABLE, f"{where} cannot be reached")
            self._learn(one, suspect, Event.FAILS, found)

    def arrived(self, name: str, port: int, client: object) -> None:
        """Called at each client that reaches the relay: evidence, if there is a way for it."""
        one = self._routes.named(name)
        if one is None or not one.ways:
            return
        ipv6 = family_of(client)
        if ipv6 is None:
            return
        key = (ipv6, one.route.proto, port)
        way = one.ways.get(key)
        if way is None or self._closed or (one, key) in self._came:
            return
        if asyncio.get_running_loop().time() - one.since.get(key, 0.0) < _FRESH:
            return
        self._came[one, key] = way
        if self._inquiring is None or self._inquiring.done():
            self._inquiring = spawn(self._inquire_all(), "clients that came back")

    def demand(self, routes: Iterable[KernelRoute]) -> None:
        """Raise PlaneError where the rules of this host keep one of `routes` out of the kernel."""
        found = [
            f"{one.route.name}: {doubt.fault.why}"
            for one in routes
            for suspect, doubt in one.doubts.items()
            if suspect.endpoint is None and doubt.out and doubt.fault.kind is Kind.FIREWALL
        ]
        if found:
            raise PlaneError("\n".join(dict.fromkeys(found)))

    def look(self, routes: Iterable[KernelRoute]) -> None:
        """Doubt ways of `routes` that do not work by the rules or the forwarding of this host."""
        sight = self._host.sight
        concerned = sight.concerned
        for one in routes:
            if one.refusal:
                continue
            found: dict[bool, Fault] = {}
            for way in one.wanted(concerned, doubted=False).values():
                if way.ipv6 not in found and (seen := fault(sight, way, guards=self._guards)):
                    found[way.ipv6] = seen
                if not self._guards and (passed_by := guarding(sight, way)):
                    self._passing_by(one, str(passed_by))
            for ipv6, seen in found.items():
                suspect = Suspect(None, "", ipv6)
                known = one.doubts.get(suspect)
                if known is None or not known.out or known.fault != seen:
                    self._learn(one, suspect, Event.FAILS, seen)

    def _passing_by(self, one: KernelRoute, guard: str) -> None:
        if (one.route.name, guard) not in self._passed_by:
            self._passed_by.add((one.route.name, guard))
            tell_of_guard(one, guard)

    def _learn(
        self, one: KernelRoute, suspect: Suspect, event: Event, found: Fault | None = None
    ) -> None:
        before = one.doubts.get(suspect)
        now = asyncio.get_running_loop().time()
        after, saying = step(before, event, now, found)
        if after is None:
            one.doubts.pop(suspect, None)
        else:
            one.doubts[suspect] = after
            self._wake(after.until)
        out, was_out = after is not None and after.out, before is not None and before.out
        if event is Event.FAILS and found is not None and not was_out:
            one.faults[found.kind] = one.faults.get(found.kind, 0) + 1
        if was_out and not out:
            one.forgive = True
        if out is not was_out or event is Event.WORKS:
            self._change(one)
        if (why := after or before) is not None and one.announced:
            tell(one, suspect, saying, why.fault)

    def _wake(self, moment: float) -> None:
        loop = asyncio.get_running_loop()
        if self._closed:
            return
        if self._timer is not None:
            if self._timer.when() <= moment:
                return
            self._timer.cancel()
        self._timer = loop.call_at(moment, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._ending is None or self._ending.done():
            self._ending = spawn(self._end(), "doubts")

    async def _end(self) -> None:
        """Judge the suspects whose time is over."""
        loop = asyncio.get_running_loop()
        over = [
            (one, suspect)
            for one in self._routes.all
            for suspect, doubt in one.doubts.items()
            if doubt.until <= loop.time() + 0.01
        ]
        if any(
            one.doubts[suspect].fault.kind in SEEN and one.doubts[suspect].out
            for one, suspect in over
        ):
            await self._host.look()
        events = await asyncio.gather(*(self._judge(one, suspect) for one, suspect in over))
        for (one, suspect), event in zip(over, events, strict=True):
            doubt = one.doubts.get(suspect)
            if not self._closed and doubt is not None and doubt.until <= loop.time() + 0.01:
                self._learn(one, suspect, event)
        moments = [doubt.until for one in self._routes.all for doubt in one.doubts.values()]
        if moments:
            self._wake(min(moments))

    async def _judge(self, one: KernelRoute, suspect: Suspect) -> Event:
        """Return what is found out about a suspect whose time is over."""
        doubt = one.doubts.get(suspect)
        if doubt is None or not doubt.out:
            return Event.UNTOLD
        if suspect.endpoint is None:
            if doubt.fault.kind not in SEEN:
                return Event.UNTOLD
            found = [
                fault(self._host.sight, way, guards=self._guards)
                for way in one.wanted(doubted=False).values()
                if way.ipv6 is suspect.ipv6
            ]
            return Event.STILL if any(found) else Event.WELL
        if one.route.proto is Proto.UDP:
            return Event.UNTOLD
        places = one.places_of(suspect.endpoint, suspect.address)
        answers = await asyncio.gather(*(self._answers(*place) for place in places))
        return Event.WELL if any(answers) else Event.STILL

    async def _inquire_all(self) -> None:
        while self._came:
            await self._inquire()
            await asyncio.sleep(_BETWEEN)

    async def _inquire(self) -> None:
        """Find out why clients came to the relay although there are ways for them."""
        came, self._came = self._came, {}
        here = {(one, key): way for (one, key), way in came.items() if one in self._routes}
        if await self._host.look():
            self.look(self._routes.all)
        tcp = {one: key for one, key in here if one.route.proto is Proto.TCP}
        udp = {one: key for one, key in here if one.route.proto is Proto.UDP}
        try:
            for one, key in tcp.items():
                await self._inquire_tcp(one, key, here[one, key])
            if udp:
                await asyncio.sleep(_HEARSAY)
                lost = await self._table.lost()
                for one, key in udp.items():
                    if key[2] in lost and self._stands(one, key, here[one, key]):
                        self._lose(one, key)
        except PlaneError as error:
            log.event(
                log.WARNING,
                "ways_unknown",
                f"it cannot be seen why clients come back to the relay: {error}",
            )
            self._table.give_way(str(error))  # nor can nft change where clients are led
            for (one, key), way in here.items():
                if self._stands(one, key, way):
                    self._lose(one, key)

    async def _inquire_tcp(self, one: KernelRoute, key: Key, way: Way) -> None:
        # A service may have restarted, or a segment was lost: so one client is not enough. It takes
        # a second client, later than the first, while no connection gets through the kernel.
        one.count(await self._table.counters())
        before, one.answered = one.answered, one.opened
        again = before == one.opened or Suspect(None, "", key[0]) in one.doubts
        if len(way.shares) == 1 and not again:  # the relay tries the one address for that client
            await asyncio.sleep(_HEARSAY)
            self._wait(one, key, way)
            return
        if not self._stands(one, key, way):
            return
        places = [(share.address, share.port) for share in way.shares]
        answers = await asyncio.gather(*(self._answers(*place) for place in places))
        for place, answer in zip(places, answers, strict=True):
            endpoint = one.leads_to(place, way.port)
            if not answer and endpoint is not None:
                found = Fault(Kind.UNREACHABLE, f"{place[0]} does not answer")
                # Where the endpoint has no other address, the endpoint itself is out of use.
                address = place[0] if len(one.places_of(endpoint, "")) > 1 else ""
                self._learn(one, Suspect(endpoint, address), Event.FAILS, found)
        if all(answers) and again and self._stands(one, key, way):
            self._lose(one, key)
        elif all(answers):
            self._wait(one, key, way)

    def _wait(self, one: KernelRoute, key: Key, way: Way) -> None:
        """Have the kernel lead new clients again; if they come to the relay, that is evidence."""
        if self._stands(one, key, way):
            one.since[key] = asyncio.get_running_loop().time() + _LATE
            one.forgive = True
            self._change(one)

    def _stands(self, one: KernelRoute, key: Key, way: Way) -> bool:
        """Tell whether `way` is still the one that is wanted."""
        return one in self._routes and one.wanted().get(key) == way

    def _lose(self, one: KernelRoute, key: Key) -> None:
        found = Fault(
            Kind.LOST,
            "new connections do not get through the kernel to its endpoints, though the relay's "
            "do (by a rule or a route of this host, or of a host on the way)",
        )
        self._learn(one, Suspect(None, "", key[0]), Event.FAILS, found)
