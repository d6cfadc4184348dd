"""What the kernel plane knows of one route."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ambassador.core.departure import Departure
from ambassador.core.located import at
from ambassador.core.usable import keeps, usable
from ambassador.model import Address, Admin, Endpoint, Existing, Inet, Proto, Route
from ambassador.planes.kernel.entry import Flow, shown
from ambassador.planes.kernel.evidence import Doubt, Kind, Suspect, out
from ambassador.planes.kernel.life import ANNOUNCED, COUNTED, TABLE, Event, Stage
from ambassador.planes.kernel.nft import Counter
from ambassador.planes.kernel.ruleset import Key, Port, Way
from ambassador.planes.kernel.stops import Stop
from ambassador.planes.kernel.ways import Place, belonging, leaving, places, ways
from ambassador.ports import RouteStatus, SessionStatus
from ambassador.spec import format_duration, is_ip

__all__ = ["KernelRoute"]

_KEEPALIVE = Route.__dataclass_fields__["keepalive"].default


@dataclass(eq=False, slots=True)
class KernelRoute:
    """One route: where its endpoints are, which of them answer, and what is installed."""

    route: Route
    refusal: str = ""  # why the relay carries the whole route
    refused: str = ""  # the error of nft, when its rules were last tried
    standing: str = ""  # why its rules in the table are not as they should be
    known: dict[str, tuple[str, ...]] = field(default_factory=dict)  # addresses by host
    doubts: dict[Suspect, Doubt] = field(default_factory=dict)
    since: dict[Key, float] = field(default_factory=dict)  # when a way was installed (loop time)
    answered: int = -1  # connections through its ways, when a client last came to the relay
    faults: dict[str, int] = field(default_factory=dict)  # how often a suspect went out, by kind
    ways: dict[Key, Way] = field(default_factory=dict)  # the ways that are installed
    belongs: frozenset[Place] = frozenset()  # the addresses of the route, as of `ways`
    stage: Stage = Stage.NEW
    # For the next transaction alone: the policy of the change that is being made; and whether an
    # endpoint is back, so that `down_tcp` is out of date.
    once: Existing | None = None
    forgive: bool = False
    belonged: set[Place] = field(default_factory=set)  # earlier addresses that may have flows yet
    orphans: set[Place] = field(default_factory=set)  # of orphaned flows, until `judged`
    unwatch: list[Callable[[], None]] = field(default_factory=list)
    counters: tuple[int, ...] = (0, 0, 0)  # opened, to the upstream, to the client, in the table
    lost: tuple[int, ...] = (0, 0, 0)  # the same, of tables that were deleted
    opened: int = 0
    open: int = 0
    open_by_endpoint: dict[Address, int] = field(default_factory=dict)
    to_upstream: int = 0
    to_client: int = 0

    @property
    def counted(self) -> bool:
        """Whether the kernel's table counts for it."""
        return self.stage in COUNTED

    @property
    def announced(self) -> bool:
        """Whether it is logged that the kernel has it."""
        return self.stage in ANNOUNCED

    def happened(self, event: Event) -> None:
        """Advance by `event`."""
        self.stage = TABLE[self.stage, event]

    def settled(self, ways: dict[Key, Way], belongs: frozenset[Place], now: float) -> None:
        """Note what a transaction has installed at `now`, by the event loop's clock."""
        self.since = {
            key: self.since.get(key, now) if self.ways.get(key) == way else now
            for key, way in ways.items()
        }
        self.belonged = (self.belonged | self.belongs) - belongs
        self.ways, self.belongs = ways, belongs
        self.forgive, self.standing = False, ""
        if not self.refusal:
            self.refused = ""
        self.happened(Event.REFUSED if self.refusal else Event.WAYS if ways else Event.NO_WAYS)

    def successor(self, route: Route, once: Existing | None) -> KernelRoute:
        """Return a new object for the changed `route`: this one is put back if the transaction
        fails. Flows that leave with the change follow `once`, where that is given.
        """
        return replace(
            self,
            route=route,
            doubts=dict(self.doubts),
            belonged=set(self.belonged),
            orphans=set(self.orphans),
            once=once,
            unwatch=[],
            forgive=True,
        )

    @property
    def ports(self) -> tuple[Port, ...]:
        """Every port the route listens on; none for a path."""
        listen = self.route.listen
        if not isinstance(listen, Inet):
            return ()
        return tuple((self.route.proto, port) for port in listen.ports)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts of its endpoints, each once."""
        return tuple(dict.fromkeys(filter(None, map(_host, self.route.endpoints))))

    def stop_watching(self) -> None:
        """Watch its names no longer."""
        for unwatch in self.unwatch:
            unwatch()
        self.unwatch.clear()

    def learn_literals(self) -> None:
        """Note the hosts that are IP literals; forget addresses of hosts that the route no longer
        has.
        """
        hosts = self.hosts
        self.known = {host: self.known[host] for host in hosts if host in self.known}
        self.known.update((host, (host,)) for host in hosts if is_ip(host))
        self.doubts = {
            suspect: doubt
            for suspect, doubt in self.doubts.items()
            if suspect.endpoint is None or suspect.endpoint in self.route.endpoints
        }

    def learn(self, host: str, addresses: Sequence[str]) -> None:
        """Note new addresses of `host`, and drop doubts about the old ones."""
        self.known[host] = tuple(addresses)
        self.doubts = {
            suspect: doubt
            for suspect, doubt in self.doubts.items()
            if suspect.endpoint is None or _host(suspect.endpoint) != host
        }
        self.forgive = True

    def wanted(
        self, families: Sequence[bool] = (False, True), *, doubted: bool = True
    ) -> dict[Key, Way]:
        """Return the ways that should be installed; with `doubted` false, also ways in doubt."""
        if self.refusal or not families:
            return {}
        here = {":" in address for addresses in self.known.values() for address in addresses}
        if here.isdisjoint(families):  # nearly always, where only IPv6 is asked for
            return {}
        doubts = out(self.doubts)
        if not doubted:
            doubts = {suspect: doubt for suspect, doubt in doubts.items() if suspect.endpoint}
        found = ways(self.route, self.known, doubts, families)
        return {way.key: way for way in found}

    def belonging(self) -> frozenset[Place]:
        """Return every address and port that belongs to the route now."""
        return frozenset() if self.refusal else belonging(self.route, self.known)

    def resting(self) -> frozenset[Place]:
        """Return the addresses that get no new flows by the operator's wish, and keep old flows."""
        if self.route.hold is not None:
            return self.belonging()
        drained = [e for e in self.route.endpoints if e.admin is Admin.DRAIN and keeps(e)]
        return places(self.route, drained, self.known)

    def adopt(self, orphans: Collection[Place]) -> None:
        """Note that there are open flows of an earlier ambassador to `orphans`."""
        self.orphans |= set(orphans)
        self.belonged |= self.orphans

    def judged(self) -> frozenset[Place]:
        """Return the addresses of orphaned flows, once, when the names of all endpoints are known:
        then flows to other addresses can be ended.
        """
        if not self.orphans:
            return frozenset()
        if self.refusal or any(host not in self.known for host in self.hosts):
            return frozenset()
        orphans, self.orphans = self.orphans, set()
        return frozenset(orphans)

    def strangers(self, orphans: Collection[Place]) -> frozenset[Place]:
        """Return which of `orphans` belong to no endpoint of this route, which the relay carries:
        connections to its endpoints go on. None of TCP as long as a name is not resolved.
        """
        if self.route.proto is Proto.UDP:  # all: the relay is to carry the datagrams
            return frozenset(orphans)
        if any(host not in self.known for host in self.hosts):
            return frozenset()
        return frozenset(orphans) - belonging(self.route, self.known)

    def stops(self) -> Collection[Stop]:
        """Return stops for the open flows to all of its endpoints."""
        if self.refusal or self.route.proto is Proto.UDP:
            return ()
        return {Stop(port, *place) for place in self.belongs for _, port in self.ports}

    def leaving(self, gone: Collection[Place]) -> Mapping[Departure, frozenset[Place]]:
        """Return why each address and port of `gone` belongs to the route no longer."""
        return leaving(gone, self.route, self.known, self.once)

    def places_of(self, endpoint: Endpoint, address: str) -> Sequence[Place]:
        """Return the addresses of `endpoint` (only `address`, if given), with its first port."""
        listen = self.route.listen
        if not isinstance(listen, Inet):
            return ()
        port = self.route.endpoint_port(endpoint, listen.ports[0])
        known = self.known.get(_host(endpoint), ())
        return [at(one, port) for one in known if address in ("", one)]

    def leads_to(self, upstream: Place, listen_port: int) -> Endpoint | None:
        """Return the endpoint of the route at `upstream`, None when it has none there."""
        for endpoint in self.route.endpoints:
            port = self.route.endpoint_port(endpoint, listen_port)
            if any(at(one, port) == upstream for one in self.known.get(_host(endpoint), ())):
                return endpoint
        return None

    def view(self, flow: Flow, now: float) -> SessionStatus:
        """Return one of its flows as the API shows it; `now` in seconds since 1970."""
        endpoint = self.leads_to(flow.upstream, flow.listen[1])
        leaving = flow.upstream not in self.belongs
        return SessionStatus(
            f"k{flow.id}",
            self.route,
            shown(flow.client),
            endpoint,
            shown(flow.upstream),
            now - flow.began if flow.began else None,
            flow.bytes_up,
            flow.bytes_down,
            "kernel",
            "leaving" if leaving else "open" if flow.established else "waiting",
        )

    def count(self, counters: Mapping[str, Mapping[int, Counter]]) -> None:
        """Note what the table has counted since the route was added."""
        proto = self.route.proto

        def total(name: str, which: int) -> int:
            found = counters.get(f"{name}_{proto}", {})
            return sum(found.get(port, (0, 0))[which] for _, port in self.ports)

        if not counters:
            return
        now = total("opened", 0), total("up", 1), total("back", 1)
        # A counter that is smaller than before is a new one: another program deleted the table.
        self.lost = tuple(
            gone + (was if number < was else 0)
            for gone, was, number in zip(self.lost, self.counters, now, strict=True)
        )
        self.counters = now
        self.opened, self.to_upstream, self.to_client = (
            number + gone for number, gone in zip(now, self.lost, strict=True)
        )

    def tally(self, flows: Mapping[Port, Mapping[Place, int]]) -> None:
        """Note how many flows are open, by port and upstream."""
        self.open, known = 0, dict[Address, int]()
        for port in self.ports:
            for upstream, number in flows.get(port, {}).items():
                self.open += number
                if endpoint := self.leads_to(upstream, port[1]):
                    known[endpoint.address] = known.get(endpoint.address, 0) + number
        self.open_by_endpoint = known

    def status(self) -> RouteStatus:
        """Return the status of the route as the API shows it."""
        return RouteStatus(
            route=self.route,
            plane="kernel" if self.ways else "relay",
            why=self._why(),
            opened=self.opened,
            open=self.open,
            refused=0,
            to_upstream=self.to_upstream,
            to_client=self.to_client,
            ways_out=dict(self.faults),
            open_by_endpoint=self.open_by_endpoint,
        )

    def _why(self) -> str:
        if self.standing:
            return f"its rules are not as they should be: {self.standing}"
        if self.refusal:
            return self.refusal
        if not self.ways:
            return self._why_no_way()
        said = []
        if self.route.proto is Proto.TCP and self.route.keepalive != _KEEPALIVE:
            asked = format_duration(self.route.keepalive)
            said.append(f"keepalive={asked} has no effect in the kernel")
        said += [doubt.fault.why for suspect, doubt in out(self.doubts).items() if suspect.address]
        return "; ".join(filter(None, (self._why_in_part(), *dict.fromkeys(said))))

    def _why_in_part(self) -> str:
        """Return which clients of the route the relay serves."""
        listen = self.route.listen
        if not isinstance(listen, Inet) or listen.host not in ("", "::", "0.0.0.0"):
            return ""
        families = {way.ipv6 for way in self.ways.values()}
        others = ["127.0.0.1"] if False in families else ["IPv4"]
        if listen.host != "0.0.0.0":
            others.append("::1" if True in families else "IPv6")
        because = [
            doubt.fault.why
            for suspect, doubt in out(self.doubts).items()
            if suspect.ipv6 is not None and doubt.fault.kind is not Kind.FORWARDING
        ]
        why = f" ({'; '.join(dict.fromkeys(because))})" if because else ""
        return f"{' and '.join(others)} through the relay{why}"

    def _why_no_way(self) -> str:
        if self.route.hold is not None:
            return "held"
        if not any(map(usable, self.route.endpoints)):
            return "no endpoint takes new sessions"
        unknown = [host for host in self.hosts if host not in self.known]
        if unknown:
            return f"the address of {unknown[0]} is not known"
        blocked = [d.fault.why for s, d in out(self.doubts).items() if s.endpoint is None]
        if blocked:
            return "; ".join(dict.fromkeys(blocked))
        if out(self.doubts):
            return "no endpoint can be reached at the moment"
        return "no address of its endpoints can be forwarded to"


def _host(endpoint: Endpoint) -> str:
    return endpoint.address.host if isinstance(endpoint.address, Inet) else ""
