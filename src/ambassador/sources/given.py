"""A source whose routes listen on sockets that were given to this process by the routes' names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ambassador.core.names import named
from ambassador.model import Address, Inet, Proto, Route, Snapshot
from ambassador.ports import Source

__all__ = ["GivenSource"]


class GivenSource:
    """Implements ports.Source over `source`: a route of one port whose name is in `places` listens
    at that place, whatever its own listen address is.
    """

    def __init__(self, source: Source, places: Mapping[tuple[Proto, str], Address]) -> None:
        self._source = source
        self._places = places

    @property
    def name(self) -> str:
        """The name of `source`; see ports.Source."""
        return self._source.name

    @property
    def guess(self) -> bool:
        """Whether `source` guesses; see ports.Source."""
        return self._source.guess

    def read(self) -> Snapshot:
        """Return the snapshot of `source`, with these places; see ports.Source."""
        snapshot = self._source.read()
        names = [route.name for route in named(snapshot.routes)]
        routes = map(self._placed, snapshot.routes, names)
        return replace(snapshot, routes=tuple(routes))

    def _placed(self, route: Route, name: str) -> Route:
        place = self._places.get((route.proto, name))
        if place is None or (isinstance(route.listen, Inet) and len(route.listen.ports) > 1):
            return route
        return replace(route, listen=place)
