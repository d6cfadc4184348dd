"""Which routes of the predecessor are which of ours."""

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
    """Maps routes of the predecessor, by serial, to ours. `routes` are ours by their listen
    addresses; `retired` makes a route that has left already.
    """

    def __init__(
        self, routes: Mapping[RouteKey, RelayRoute], retired: Callable[[Route], RelayRoute]
    ) -> None:
        self._routes = routes
        self._retired = retired
        self._told: dict[int, _Told] = {}
        # By the serials that the predecessor gave:
        self.here: dict[int, RelayRoute] = {}  # our routes that the predecessor has, too
        self.found: dict[int, RelayRoute] = {}  # routes of which a session or flow has come
        self.gone: list[RelayRoute] = []  # of `found`, the routes that we do not have

    def hear(self, serial: int, known: Sequence[Any]) -> None:
        """Note a route of the predecessor, as `outgoing` writes it. Raises ValueError."""
        proto, listen, name, existing, has_left = known
        key = Proto(proto), parse_listen(listen)
        self._told[serial] = _Told(key, str(name), str(existing), bool(has_left))
        if not has_left and (mine := self._routes.get(key)) is not None:
            self.here[serial] = mine

    def find(self, serial: int) -> RelayRoute | None:
        """Return our route for sessions of their route `serial`; a retired one where we have none.
        None for UDP flows then: without their listener they end. Raises KeyError.
        """
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
        """Give new sessions numbers that no session has had: `numbers` has the last number of each
        route that had sessions, by serial.
        """
        for serial, route in self.here.items():
            route.live.serial, route.live.number = serial, int(numbers.get(serial, 0))
        known = set(map(id, self.here.values()))
        fresh = max(self._told, default=0) + 1
        for route in self._routes.values():
            if id(route) not in known:
                route.live.serial, fresh = fresh, fresh + 1
        serials.go_on(fresh)
