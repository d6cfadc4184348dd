"""The ways of a route through the kernel, made from the addresses of its endpoints. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import ceil, gcd, lcm

from ambassador.core.departure import Departure, cause
from ambassador.core.located import at
from ambassador.core.usable import keeps, usable, working
from ambassador.model import Address, Endpoint, Existing, Inet, Pick, Proto, Ranges, Resolve, Route
from ambassador.planes.kernel.eligible import forwardable
from ambassador.planes.kernel.evidence import Suspect
from ambassador.planes.kernel.ruleset import Share, Way

__all__ = ["Place", "active", "belonging", "leaving", "places", "ways"]

_LONGEST_IDLE = 2_000_000  # seconds; see timeouts.py

Known = Mapping[str, Sequence[str]]
Place = tuple[str, int]  # an address and a port of an endpoint


def active(endpoints: Sequence[Endpoint], out: Collection[Suspect]) -> Sequence[Endpoint]:
    """Return the endpoints new flows may go to: usable ones that are not `out`; backups only where
    there are no others.
    """
    reachable = [one for one in filter(usable, endpoints) if not out or Suspect(one) not in out]
    return [endpoint for endpoint in reachable if not endpoint.backup] or reachable


def ways(
    route: Route, known: Known, out: Collection[Suspect], families: Iterable[bool]
) -> tuple[Way, ...]:
    """Return one way for each listen port and address family the kernel can serve.

    `known` has the addresses of each host, IP literals among them; `families` the address
    families that are forwarded (True: IPv6). A family in which one of the endpoints has no
    address is left to the relay, which can connect an IPv4 client by IPv6, and the reverse.
    """
    if not isinstance(route.listen, Inet) or route.hold is not None:
        return ()
    endpoints = active(route.endpoints, out)
    if route.pick is Pick.FIRST:
        endpoints = endpoints[:1]
    found = []
    for ipv6 in families:
        if out and Suspect(None, "", ipv6) in out:
            continue
        admitted = _admitted(route, ipv6)
        if admitted is not None and not admitted.firsts:  # no client may come: the relay refuses
            continue
        host = _listens(route.listen.host, ipv6)
        hosts = [_addresses(endpoint, known, out, ipv6) for endpoint in endpoints]
        if host is None or not hosts or not all(hosts):
            continue
        if route.pick is Pick.FIRST or route.resolve is Resolve.FIRST:
            hosts = [addresses[:1] for addresses in hosts]
        weights = _weights(endpoints, [len(addresses) for addresses in hosts])
        for port in route.listen.ports:
            shares = tuple(
                Share(*at(address, route.endpoint_port(endpoint, port)), weight)
                for endpoint, addresses, weight in zip(endpoints, hosts, weights, strict=True)
                for address in addresses
            )
            idle = min(_LONGEST_IDLE, ceil(route.idle)) if route.proto is Proto.UDP else 0
            by_chance = route.pick is Pick.RANDOM and len(shares) > 1
            found.append(Way(route.proto, port, ipv6, shares, host, by_chance, idle, admitted))
    return tuple(found)


def _admitted(route: Route, ipv6: bool) -> Ranges | None:
    if route.admitted is None:
        return None
    return route.admitted.ipv6 if ipv6 else route.admitted.ipv4


def belonging(route: Route, known: Known) -> frozenset[Place]:
    """Return every address and port whose open flows may stay, also if it is not reachable."""
    return places(route, filter(keeps, route.endpoints), known)


def leaving(
    gone: Collection[Place], route: Route, known: Known, once: Existing | None
) -> Mapping[Departure, frozenset[Place]]:
    """Return why each address and port of `gone` belongs to the `route` no longer."""
    owners: dict[Place, Address] = {}
    for endpoint in route.endpoints:
        lost = _places(route, (endpoint,), known, well=False)
        if keeps(endpoint):
            lost -= places(route, (endpoint,), known)
        owners.update(dict.fromkeys(lost, endpoint.address))
    found: dict[Departure, set[Place]] = defaultdict(set)
    for place in gone:
        found[cause(owners.get(place), route, once=once, place=place)].add(place)
    return {why: frozenset(some) for why, some in found.items()}


def places(route: Route, endpoints: Iterable[Endpoint], known: Known) -> frozenset[Place]:
    """Return every address and port of `endpoints` of `route` that has not failed its probes."""
    return _places(route, endpoints, known, well=True)


def _places(
    route: Route, endpoints: Iterable[Endpoint], known: Known, *, well: bool
) -> frozenset[Place]:
    if not isinstance(route.listen, Inet):
        return frozenset()
    found = set[Place]()
    for endpoint in endpoints:
        if isinstance(endpoint.address, Inet):
            addresses = known.get(endpoint.address.host, ())
            for address in working(endpoint, addresses) if well else addresses:
                for port in route.listen.ports:
                    found.add(at(address, route.endpoint_port(endpoint, port)))
    return frozenset(found)


def _listens(host: str, ipv6: bool) -> str | None:
    """Return the one address of a family that is listened on, empty for all, None for none."""
    if host in ("", "::"):
        return ""
    if host == "0.0.0.0":
        return None if ipv6 else ""
    return host if (":" in host) == ipv6 else None


def _addresses(
    endpoint: Endpoint, known: Known, out: Collection[Suspect], ipv6: bool
) -> Sequence[str]:
    if not isinstance(endpoint.address, Inet):
        return ()
    return [
        address
        for address in working(endpoint, known.get(endpoint.address.host, ()))
        if (":" in address) == ipv6
        and forwardable(at(address, 0)[0])
        and (not out or Suspect(endpoint, address) not in out)
    ]


def _weights(endpoints: Sequence[Endpoint], counts: Sequence[int]) -> Sequence[int]:
    """Return the weight of an address of each endpoint: its addresses share its weight."""
    if len(counts) == 1:
        return (1,)
    common = lcm(*counts)
    weights = [
        endpoint.weight * common // number
        for endpoint, number in zip(endpoints, counts, strict=True)
    ]
    divisor = gcd(*weights)
    return [weight // divisor for weight in weights]
