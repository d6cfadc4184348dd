"""Which route gives way where two sources name the same one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ambassador.core.merge import check_endpoints, overlap
from ambassador.core.names import is_called
from ambassador.errors import ConfigError
from ambassador.model import Address, Inet, Route, Snapshot

__all__ = ["settled", "yielded"]


def settled(snapshots: Iterable[Snapshot]) -> tuple[Snapshot, ...]:
    """Return `snapshots`, of which earlier ones have precedence: a route with the name and the
    protocol of a route in an earlier snapshot gives way to it, and a note says so. In a snapshot
    that yields, a route also gives way where an earlier route listens at its address.
    """
    result: list[Snapshot] = []
    before: list[Route] = []
    for snapshot in snapshots:
        routes = []
        notes = list(snapshot.notes)
        for route in snapshot.routes:
            first = next((other for other in before if _same(route, other)), None)
            if first is None and snapshot.yields:
                first = next((other for other in before if _meet(route, other)), None)
            if first is None:
                routes.append(route)
            else:
                notes.append(f"{route.origin} is not used: {first.origin} comes before it")
        result.append(replace(snapshot, routes=tuple(routes), notes=tuple(notes)))
        before += routes
    return tuple(result)


def _meet(route: Route, other: Route) -> bool:
    return route.proto is other.proto and overlap(route.listen, other.listen)


def _same(route: Route, other: Route) -> bool:
    if route.proto is not other.proto:
        return False
    port = other.port or (other.listen.port if isinstance(other.listen, Inet) else 0)
    return is_called(route.name, other.alias or other.name, port, other.proto)


def yielded(snapshots: Iterable[Snapshot]) -> tuple[Snapshot, ...]:
    """Return `snapshots`. Those that yield give way to all others, and their own later routes to
    their earlier ones: a route that would listen where another does, or lead to itself, is left out
    and reported. Such a snapshot was written on another host, and must not disturb local routes.
    """
    found = tuple(snapshots)
    taken = _Taken()
    for snapshot in found:
        for route in snapshot.routes if not snapshot.yields else ():
            taken.add(route)
    result = []
    for snapshot in found:
        if not snapshot.yields:
            result.append(snapshot)
            continue
        routes, left_out = [], list(snapshot.left_out)
        for route in snapshot.routes:
            if why := taken.hindrance(route):
                left_out.append(f"{route.origin} is not used: {why}")
            else:
                routes.append(route)
                taken.add(route)
        result.append(replace(snapshot, routes=tuple(routes), left_out=tuple(left_out)))
    return tuple(result)


class _Taken:
    """Where routes listen: routes of a single port by that port, since there may be thousands."""

    def __init__(self) -> None:
        self._by_port: dict[int, list[Route]] = {}
        self._others: list[Route] = []  # ranges and paths

    def add(self, route: Route) -> None:
        """Take note of `route`."""
        listen = route.listen
        if isinstance(listen, Inet) and not listen.last:
            self._by_port.setdefault(listen.port, []).append(route)
        else:
            self._others.append(route)

    def hindrance(self, route: Route) -> str:
        """Return why `route` cannot be added to the others; empty where it can."""
        for other in (*self._others, *self._near(route.listen)):
            if other.proto is route.proto and overlap(other.listen, route.listen):
                return f"{other.origin or other.name} listens there already"
        try:
            check_endpoints([route], [route])
        except ConfigError as error:
            return error.problems[0].what
        return ""

    def _near(self, listen: Address) -> Iterable[Route]:
        if not isinstance(listen, Inet):
            return ()
        if not listen.last:
            return self._by_port.get(listen.port, ())
        return (one for port in listen.ports for one in self._by_port.get(port, ()))
