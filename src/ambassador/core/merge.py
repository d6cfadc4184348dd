"""From what the sources say to the desired routes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ambassador.core.names import named
from ambassador.errors import ConfigError, Problem
from ambassador.model import Address, Desired, Inet, Proto, Route, Snapshot, Unix
from ambassador.spec import format_address, format_listening, unmapped
from ambassador.spec.variable import format_option

__all__ = ["check_endpoints", "collisions", "merge", "overlap"]

_ALL_IPV4 = "0.0.0.0"
_ALL = ("", "::")  # a socket on :: takes IPv4 too unless told otherwise (RFC 3493 section 5.3)


def merge(snapshots: Iterable[Snapshot]) -> Desired:
    """Return all routes of `snapshots`, in order, each with a name of its own.

    Raises ConfigError that names every pair of routes that would listen on one address, and every
    route that would connect to itself.
    """
    routes = named(route for snapshot in snapshots for route in snapshot.routes)
    problems = [
        _listen_problem(
            second,
            f"listens on {format_address(second.listen)}, which belongs to {_origin(first)}"
            + (
                f" ({format_address(first.listen)})"
                if format_address(first.listen) != format_address(second.listen)
                else ""
            ),
            "one route for each listen address",
            routes,
        )
        for first, second in collisions(routes)
    ]
    problems += _loops(routes, routes)
    if problems:
        raise ConfigError(*problems)
    return Desired(routes)


def check_endpoints(changed: Iterable[Route], routes: Iterable[Route]) -> None:
    """Raise ConfigError where one of those `changed` among `routes` would connect to itself."""
    if problems := _loops(changed, routes):
        raise ConfigError(*problems)


def _loops(among: Iterable[Route], routes: Iterable[Route]) -> list[Problem]:
    return [
        _listen_problem(
            route,
            f"its endpoint {format_address(endpoint.address)} is where it listens itself",
            "an endpoint elsewhere, or another port to listen on",
            routes,
        )
        for route in among
        for endpoint in route.endpoints
        if _leads_back(route.listen, endpoint.address)
    ]


def collisions(routes: Sequence[Route]) -> list[tuple[Route, Route]]:
    """Return every pair of `routes` that cannot both listen, in the order they are written.

    Sorted by first port, a route can only collide with routes whose range has not ended yet, so
    5,000 routes are compared with their neighbours and not each with each other.
    """
    pairs: list[tuple[int, int]] = []
    reaching: dict[Proto, list[int]] = {}
    for index in sorted(range(len(routes)), key=lambda index: _first_port(routes[index])):
        route = routes[index]
        first = _first_port(route)
        others = [i for i in reaching.get(route.proto, ()) if _last_port(routes[i]) >= first]
        pairs += [
            (min(index, other), max(index, other))
            for other in others
            if overlap(route.listen, routes[other].listen)
        ]
        reaching[route.proto] = [*others, index]
    return [(routes[first], routes[second]) for first, second in sorted(pairs)]


def overlap(first: Address, second: Address) -> bool:
    """Return whether two sockets of one protocol cannot listen on these addresses at once."""
    if isinstance(first, Unix) or isinstance(second, Unix):
        return first == second
    if first.ports.start >= second.ports.stop or second.ports.start >= first.ports.stop:
        return False
    return _covers(first.host, second.host) or _covers(second.host, first.host)


def _first_port(route: Route) -> int:
    return route.listen.port if isinstance(route.listen, Inet) else 0


def _last_port(route: Route) -> int:
    return route.listen.ports[-1] if isinstance(route.listen, Inet) else 0


def _covers(host: str, other: str) -> bool:
    """Return whether a socket listening on `host` is reached by way of the IP literal `other`."""
    if host in _ALL:
        return True
    address, met = unmapped(host), unmapped(other)
    if host == _ALL_IPV4:
        return met is not None and met.version == 4
    return address is not None and address == met


def _leads_back(listen: Address, endpoint: Address) -> bool:
    if isinstance(listen, Unix) or isinstance(endpoint, Unix):
        return listen == endpoint
    if endpoint.port != listen.port:
        return False
    if listen.host in (*_ALL, _ALL_IPV4):
        met = unmapped("127.0.0.1" if endpoint.host == "localhost" else endpoint.host)
        here = met is not None and (met.is_loopback or met.is_unspecified)
        return here and met is not None and _covers(listen.host, str(met))
    return _covers(listen.host, "127.0.0.1" if endpoint.host == "localhost" else endpoint.host)


def _origin(route: Route) -> str:
    return route.origin or f"route {route.name}"


def _listen_problem(route: Route, what: str, expected: str, routes: Iterable[Route]) -> Problem:
    example = ""
    free = _elsewhere(route, routes)
    if free is not None:
        example = format_option(route, "listen", format_listening(replace(route, listen=free)))
    if free is not None and route.origin.startswith("arguments "):  # HOST PORT
        example = f"ambassador 192.168.1.52 {_first_port(replace(route, listen=free))}"
    return Problem(_origin(route), what, format_address(route.listen), expected, example)


def _elsewhere(route: Route, routes: Iterable[Route]) -> Address | None:
    """Return a listen address for `route` that no route of its protocol has, if there is one."""
    taken = [other.listen for other in routes if other.proto is route.proto]
    if isinstance(route.listen, Unix):
        return replace(route.listen, path=f"{route.listen.path}.2")
    length = len(route.listen.ports)
    for first in (*range(route.listen.port, 65537 - length), *range(1024, route.listen.port)):
        free = Inet(route.listen.host, first, first + length - 1 if length > 1 else 0)
        if first != route.listen.port and not any(overlap(free, other) for other in taken):
            return free
    return None
