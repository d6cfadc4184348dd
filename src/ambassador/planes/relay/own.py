"""Which addresses are listeners of the relay itself."""

from __future__ import annotations

from collections.abc import Mapping

from ambassador.model import Proto, RouteKey
from ambassador.planes.relay.doors import Doors
from ambassador.planes.relay.route import RelayRoute

__all__ = ["OwnAddresses"]


class OwnAddresses:
    """Knows the listen addresses of `routes`; `change` has to be called when the routes change."""

    def __init__(self, routes: Mapping[RouteKey, RelayRoute]) -> None:
        self._routes = routes
        self._ports: set[int] | None = None  # all listen ports; 0: a path

    def change(self, doors: Doors) -> None:
        """Look at the routes anew, and have `doors` do so."""
        self._ports = None
        doors.look_at_all()

    def __call__(self, proto: Proto, address: str, port: int) -> bool:
        """Tell whether a connection to `address` (an IP literal or a path) comes to a route."""
        if self._ports is None:  # for a fast answer to each session, which is nearly always no
            self._ports = {
                port
                for relay_route in self._routes.values()
                for port in getattr(relay_route.live.route.listen, "ports", (0,))
            }
        return port in self._ports and any(
            relay_route.live.route.proto is proto and relay_route.listens(address, port)
            for relay_route in self._routes.values()
        )
