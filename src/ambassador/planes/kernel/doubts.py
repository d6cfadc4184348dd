"""Gather evidence against ways, and do what follows from it (`evidence` says what does)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import ip_address

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.model import Endpoint, Proto
from ambassador.planes.kernel.evidence import (
    SEEN,
    Event,
    Fault,
    Kind,
    Saying,
    Suspect,
    step,
)
from ambassador.planes.kernel.hindrances import fault
from ambassador.planes.kernel.host import Host
from ambassador.planes.kernel.registry import Registry
from ambassador.planes.kernel.route import KernelRoute
from ambassador.planes.kernel.ruleset import Key, Way
from ambassador.planes.kernel.table import Table
from ambassador.spec import format_endpoint
from ambassador.tasks import spawn

__all__ = ["Doubts", "family_of"]

# Linux repeats a SYN after 1 s (RFC 6298, section 2): a client that comes sooner after its way was
# installed, or doubted, has not met it since.
_FRESH = 1.1
_PATIENCE = 1.0  # seconds for an address to answer
# The relay hears from an endpoint that a datagram was refused, and tells, before this is over.
_HEARSAY = 0.5
_BETWEEN = 0.2  # seconds between two inquiries, whatever the number of clients


class Doubts:
    """Of all `routes` in the kernel, as they are at each moment. `change` has the ways of one
    installed anew, soon. `guards`: rules of this host that guard a port are obeyed. `answers` tells
    whether something accepts connections at an address and port.
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
        self._answers = answers or _answers
        self._closed = False
        self._routes = routes
        self._timer: asyncio.TimerHandle | None = None
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
        """Hear from the relay whether it could reach `endpoint` of the route `name`, at
        `address` or (empty) at any of its addresses.
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
        """Hear of a client that has reached the relay: evidence, where there is a way for it."""
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
        """Hold what is seen of this host against the ways of `routes`, or no longer."""
        sight = self._host.sight
        for one in routes:
            if one.refusal:
                continue
            found: dict[bool, Fault] = {}
            for way in one.wanted(sight.concerned, doubted=False).values():
                if way.ipv6 not in found and (seen := fault(sight, way, guards=self._guards)):
                    found[way.ipv6] = seen
            for ipv6, seen in found.items():
                suspect = Suspect(None, "", ipv6)
                known = one.doubts.get(suspect)
                if known is None or not known.out or known.fault != seen:
                    self._learn(one, suspect, Event.FAILS, seen)

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
            _say(one, suspect, saying, why.fault)

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
        """See to the suspects whose time is over."""
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
        """Look at a suspect whose time is over."""
        doubt = one.doubts[suspect]
        if not doubt.out:
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
            log.event(log.WARNING, "ways_unknown", f"why clients come back is not seen: {error}")

    async def _inquire_tcp(self, one: KernelRoute, key: Key, way: Way) -> None:
        places = [(share.address, share.port) for share in way.shares]
        answers = await asyncio.gather(*(self._answers(*place) for place in places))
        for place, answer in zip(places, answers, strict=True):
            endpoint = one.leads_to(place, way.port)
            if not answer and endpoint is not None:
                found = Fault(Kind.UNREACHABLE, f"{place[0]} does not answer")
                # Where it has no other, the endpoint itself is out: others have its part.
                address = place[0] if len(one.places_of(endpoint, "")) > 1 else ""
                self._learn(one, Suspect(endpoint, address), Event.FAILS, found)
        if not all(answers) or not self._stands(one, key, way):
            return
        # A service may have restarted, and a segment gets lost on any network: it takes a second
        # client, later than the first, while nobody has got through.
        one.count(await self._table.counters())
        before, one.answered = one.answered, one.opened
        if before == one.opened or Suspect(None, "", key[0]) in one.doubts:
            self._lose(one, key)
        else:
            one.since[key] = asyncio.get_running_loop().time()
            one.forgive = True
            self._change(one)

    def _stands(self, one: KernelRoute, key: Key, way: Way) -> bool:
        return one.ways.get(key) == way and not out_now(one, key[0])

    def _lose(self, one: KernelRoute, key: Key) -> None:
        found = Fault(
            Kind.LOST,
            "new connections do not get through the kernel to its endpoints, though the relay's "
            "do (a rule or a route of this host, or of one on the way)",
        )
        self._learn(one, Suspect(None, "", key[0]), Event.FAILS, found)


def out_now(one: KernelRoute, ipv6: bool) -> bool:
    """Tell whether the ways of a family are out."""
    doubt = one.doubts.get(Suspect(None, "", ipv6))
    return doubt is not None and doubt.out


def family_of(client: object) -> bool | None:
    """Return whether a client, as accept(2) names it, has IPv6; None where the kernel plane leads
    none like it: it arrived over loopback, a link-local address or a path.
    """
    if not isinstance(client, tuple):
        return None
    address = ip_address(str(client[0]).partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if address.is_loopback or (address.version == 6 and address.is_link_local):
        return None
    return address.version == 6


async def _answers(address: str, port: int) -> bool:
    """Tell whether something accepts connections there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        try:
            async with asyncio.timeout(_PATIENCE):
                await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except (OSError, TimeoutError):
            return False
    return True


def _say(one: KernelRoute, suspect: Suspect, saying: Saying, found: Fault) -> None:
    """Log what becomes of the ways of one family of a route, or of one address. Of whole endpoints
    the relay speaks.
    """
    whole = suspect.endpoint is not None and (
        not suspect.address or len(one.places_of(suspect.endpoint, "")) < 2
    )
    if saying is Saying.NOTHING or whole:
        return
    name, away = one.route.name, saying is Saying.OUT
    if suspect.address:
        family = "IPv6" if ":" in suspect.address else "IPv4"
        text = found.why if away else f"{suspect.address} gets new sessions again"
    else:
        family = "IPv6" if suspect.ipv6 else "IPv4"
        text = f"the {'relay' if away else 'kernel'} has new {family} sessions"
        text += f": {found.why}" if away else " again"
    log.event(
        log.WARNING if away else log.INFO,
        "way_out" if away else "way_back",
        f"{name}  {text}",
        route=name,
        family=family,
        address=suspect.address,
        kind=str(found.kind),
        reason=found.why,
    )
