"""The routes of the kernel plane, by their key, by their name and by the ports they listen on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ambassador.model import Route, RouteKey
from ambassador.planes.kernel.route import KernelRoute
from ambassador.planes.kernel.ruleset import Port

__all__ = ["Registry"]


class Registry:
    """All routes, in the order in which they were added."""

    def __init__(self) -> None:
        self._routes: dict[RouteKey, KernelRoute] = {}
        self._by_name: dict[str, KernelRoute] = {}
        self._by_port: dict[Port, tuple[KernelRoute, ...]] = {}

    def __contains__(self, kernel_route: KernelRoute) -> bool:
        return self._routes.get(kernel_route.route.key) is kernel_route

    @property
    def all(self) -> Sequence[KernelRoute]:
        """Every route."""
        return list(self._routes.values())

    def get(self, key: RouteKey) -> KernelRoute | None:
        """Return the route of `key`."""
        return self._routes.get(key)

    def of(self, route: Route) -> KernelRoute:
        """Return the KernelRoute of `route`. Raises KeyError."""
        return self._routes[route.key]

    def named(self, name: str) -> KernelRoute | None:
        """Return the route called `name`."""
        return self._by_name.get(name)

    def some(self, routes: Sequence[Route] | None) -> Sequence[KernelRoute]:
        """Return the KernelRoutes of `routes`, as far as they are here; None: all."""
        if routes is None:
            return self.all
        return [one for route in routes if (one := self._routes.get(route.key)) is not None]

    def of_port(self, port: Port) -> Sequence[KernelRoute]:
        """Return the routes that listen on `port`, at any address; flows are those of the first."""
        return self._by_port.get(port, ())

    def neighbours(self, some: Iterable[KernelRoute]) -> set[KernelRoute]:
        """Return every route that shares a port with one of `some`, with those of `some` that are
        here.
        """
        ports = {port for kernel_route in some for port in kernel_route.ports}
        return {other for port in ports for other in self.of_port(port)}

    def crowd(self, kernel_route: KernelRoute) -> str:
        """Return why `kernel_route` cannot be in the kernel: another route has one of its ports,
        and flows are counted and told apart by port. Empty where none has.
        """
        for port in kernel_route.ports:
            for other in self.of_port(port):
                if other is not kernel_route:
                    return f"{other.route.name} listens on port {port[1]} of another address"
        return ""

    def swap(self, gone: Iterable[KernelRoute], come: Iterable[KernelRoute]) -> None:
        """Remove the routes `gone`, and add the routes `come`."""
        for kernel_route in gone:
            del self._routes[kernel_route.route.key]
            self._by_name.pop(kernel_route.route.name, None)
            for port in kernel_route.ports:
                left = tuple(other for other in self._by_port[port] if other is not kernel_route)
                if left:
                    self._by_port[port] = left
                else:
                    del self._by_port[port]
        for kernel_route in come:
            self._routes[kernel_route.route.key] = kernel_route
            self._by_name[kernel_route.route.name] = kernel_route
            for port in kernel_route.ports:
                self._by_port[port] = (*self.of_port(port), kernel_route)

    def clear(self) -> None:
        """Forget all of them."""
        self._routes.clear()
        self._by_name.clear()
        self._by_port.clear()
