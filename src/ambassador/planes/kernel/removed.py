"""Routes that were removed, as long as flows of theirs may go on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from ambassador.model import Route, RouteKey
from ambassador.planes.kernel.entry import Address, Flow
from ambassador.planes.kernel.life import Event, Stage
from ambassador.planes.kernel.registry import Registry
from ambassador.planes.kernel.route import KernelRoute
from ambassador.planes.kernel.ruleset import Port

__all__ = ["RemovedRoutes"]


class RemovedRoutes:
    """The removed routes, at most one for each listen address: the last. `here`: the routes that
    are not removed.
    """

    def __init__(self, here: Registry | None = None) -> None:
        self._here = here or Registry()
        self._routes: dict[RouteKey, KernelRoute] = {}

    def __iter__(self) -> Iterator[KernelRoute]:
        return iter(tuple(self._routes.values()))

    def add(self, routes: Iterable[KernelRoute]) -> None:
        """Remember `routes` that were removed: all their flows are leaving."""
        for kernel_route in routes:
            key = kernel_route.route.key
            belonged = kernel_route.belongs | kernel_route.belonged
            if earlier := self._routes.get(key):
                belonged |= earlier.belonged
            if kernel_route.counted and belonged:
                gone = replace(
                    kernel_route, ways={}, belongs=frozenset(), belonged=set(belonged), unwatch=[]
                )
                gone.happened(Event.REMOVE)
                self._routes[key] = gone

    def remove(self, routes: Iterable[KernelRoute]) -> None:
        """Forget `routes`, which stay after all."""
        for kernel_route in routes:
            self._routes.pop(kernel_route.route.key, None)

    def adopt(self, route: Route, belonged: Collection[Address]) -> None:
        """Remember the upstreams `belonged` of flows of an earlier ambassador, which are not of
        `route`.
        """
        self._routes[route.key] = KernelRoute(route, belonged=set(belonged), stage=Stage.REMOVED)

    def has_led(self, flow: Flow) -> bool:
        """Tell whether `flow` leads to an address of a route of its port, here or removed, now or
        before.
        """
        port = flow.proto, flow.listen[1]
        removed = (one for one in self if port in one.ports)
        return any(
            flow.upstream in one.belongs or flow.upstream in one.belonged
            for one in (*self._here.of_port(port), *removed)
        )

    def route_of(self, port: Port) -> Route | None:
        """Return the route that has a port, or had it."""
        if here := self._here.of_port(port):
            return here[0].route
        return next((one.route for one in self if port in one.ports), None)

    def forget(self) -> None:
        """Forget the routes that have no flows left, as `open_flows` has found."""
        self._routes = {key: one for key, one in self._routes.items() if one.belonged}

    def clear(self) -> None:
        """Forget all."""
        self._routes.clear()
