"""The routes of the process before, beside ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ambassador.model import Proto, Route, RouteKey
from ambassador.planes.relay.route import RelayRoute
from ambassador.planes.relay.serials import serials
from ambassador.spec import parse_existing, parse_listen

__all__ = ["TheirRoutes"]


class _Told(NamedTuple):
    key: RouteKey
    name: str
    existing: str
    has_left: bool


class TheirRoutes:
    """`routes` are ours by where they listen; `retired` makes one that has left already."""

    def __init__(
        self, routes: Mapping[RouteKey, RelayRoute], retired: Callable[[Route], RelayRoute]
    ) -> None:
        self._routes = routes
        self._retired = retired
        self._told: dict[int, _Told] = {}
        self.here: dict[int, RelayRoute] = {}  # by their serials: those that have not left
        self.found: dict[int, RelayRoute] = {}  # that something has come of
        self.gone: list[RelayRoute] = []  # of these, the ones we do not have

    def hear(self, serial: int, known: Sequence[Any]) -> None:
        """Be told of one, as `outgoing` writes it. Raises ValueError."""
        proto, listen, name, existing, has_left = known
        key = Proto(proto), parse_listen(listen)
        self._told[serial] = _Told(key, str(name), str(existing), bool(has_left))
        if not has_left and (mine := self._routes.get(key)) is not None:
            self.here[serial] = mine

    def find(self, serial: int) -> RelayRoute | None:
        """Return our route for what comes of theirs; None where it can only go. Raises KeyError."""
        if serial in self.found:
            return self.found[serial]
        theirs, mine = self._told[serial], self.here.get(serial)
        if mine is None and theirs.key[0] is Proto.UDP:
            return None
        if mine is None:
            proto, listen = theirs.key
            policy = parse_existing(theirs.existing)
            mine = self._retired(Route(theirs.name, listen, (), proto, existing=policy))
            self.gone.append(mine)
        mine.live.serial = serial
        self.found[serial] = mine
        return mine

    def number(self, numbers: Mapping[int, int]) -> None:
        """Call our sessions as nobody's was called before: `numbers` has the last one of each
        route that had any, by serial.
        """
        for serial, route in self.here.items():
            route.live.serial, route.live.number = serial, int(numbers.get(serial, 0))
        known = set(map(id, self.here.values()))
        fresh = max(self._told, default=0) + 1
        for route in self._routes.values():
            if id(route) not in known:
                route.live.serial, fresh = fresh, fresh + 1
        serials.go_on(fresh)
