"""A plane that carries nothing: it notes what is asked of it, and says what a test wants."""

from __future__ import annotations

from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute
from ambassador.model import Reason
from ambassador.ports import RouteStatus

__all__ = ["FakePlane"]


class FakePlane:
    """Implements ports.Plane. `failures` are raised by the next calls of `apply`, None: go on."""

    def __init__(self, name="fake", **numbers):
        self.name = name
        self.numbers = numbers
        self.failures = []
        self.steps = []
        self.open = []  # SessionStatus
        self.cuts = []
        self.routes = {}
        self.measure_error = None
        self.fenced = []

    async def prepare(self, steps):
        pass

    async def apply(self, steps):
        if self.failures and (failure := self.failures.pop(0)):
            raise failure
        self.steps += steps
        for step in steps:
            match step:
                case AddRoute(route):
                    self.routes[route.key] = route
                case ChangeRoute(_, new):
                    self.routes[new.key] = new
                case RemoveRoute(route):
                    del self.routes[route.key]

    async def measure(self, routes=None):
        if self.measure_error:
            raise self.measure_error

    def ahead(self, routes):
        return self.status(routes)

    def status(self, routes=None):
        here = self.routes
        found = here.values() if routes is None else [here[r.key] for r in routes if r.key in here]
        zero = dict.fromkeys(("opened", "open", "refused", "to_upstream", "to_client"), 0)
        return [
            RouteStatus(route, self.name, f"{self.name}!", **{**zero, **self.numbers})
            for route in found
        ]

    async def sessions(self, routes=None):
        wanted = None if routes is None else {one.key for one in routes}
        return [one for one in self.open if wanted is None or one.route.key in wanted]

    async def cut(self, ids, reason):
        there = [one.id for one in self.open if one.id in ids]
        self.open = [one for one in self.open if one.id not in ids]
        self.cuts += [(name, reason) for name in there]
        return len(there)

    def fence(self, route):
        self.fenced.append(route.name)
        return lambda: self.fenced.remove(route.name)

    async def untold(self, ids):
        return ""

    async def drain(self, grace):
        return await self.cut({one.id for one in self.open}, Reason.SHUTDOWN)
