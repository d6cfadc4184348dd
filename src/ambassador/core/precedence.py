"""What gives way where two sources speak of one route."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ambassador.core.merge import overlap
from ambassador.core.names import is_called
from ambassador.model import Inet, Route, Snapshot

__all__ = ["settled"]


def settled(snapshots: Iterable[Snapshot]) -> tuple[Snapshot, ...]:
    """Return `snapshots`, of which each comes before those after it: a route that has the name
    and the protocol of one that came before gives way to it, and a note says so; of a snapshot that
    yields, also a route that would listen where one that came before does.
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
