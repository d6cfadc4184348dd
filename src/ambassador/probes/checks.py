"""Probes every endpoint of every route with `health`, again and again, and reports what follows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step
from ambassador.model import Address, Endpoint, Health, Route, RouteKey
from ambassador.ports import EndpointJudged, LoggingIn, Resolver
from ambassador.probes.check import Check
from ambassador.probes.conversation import Conversations
from ambassador.probes.heard import Heard
from ambassador.spec import format_endpoint
from ambassador.spec.health import REPLICAS
from ambassador.tasks import spawn
from ambassador.tls.keyring import Keyring

__all__ = ["HealthChecks"]

_What = tuple[RouteKey, Address, int, str, float, int, int, tuple[float, str, str, str]]

_MANY = 50  # endpoints that are added at one moment; of more, the first probes are spread out


class HealthChecks:
    """`change` says which endpoints there are, `close` ends all probes. `logging_in` makes probes
    that need a login: these are a task each, all others a timer each.
    """

    def __init__(
        self,
        resolver: Resolver,
        judge: EndpointJudged,
        logging_in: LoggingIn | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        self._keyring = keyring
        self._resolver = resolver
        self._logging_in = logging_in
        self._judge = judge
        self._conversations: Conversations | None = None  # made with the first check
        self._tasks: dict[_What, asyncio.Task[None]] = {}
        self._checks: dict[_What, Check] = {}

    def change(self, steps: Sequence[Step]) -> None:
        """Probe the endpoints of routes as they are after `steps`."""
        before: dict[_What, tuple[Route, Endpoint]] = {}
        wanted: dict[_What, tuple[Route, Endpoint]] = {}
        for step in steps:
            match step:
                case AddRoute(route):
                    wanted |= _questions(route)
                case RemoveRoute(route):
                    before |= _questions(route)
                case ChangeRoute(old=old, new=new):
                    before |= _questions(old)
                    wanted |= _questions(new)
        places = {what[:2] for what in wanted}
        for what in before.keys() - wanted.keys():
            if task := self._tasks.pop(what, None):
                task.cancel()
            if check := self._checks.pop(what, None):
                check.close()
            if what[:2] not in places:  # it may still be there, without a probe
                spawn(self._judge(*what[:2], Health.UNKNOWN, "", ()), "health no longer asked for")
        coming = wanted.keys() - self._tasks.keys() - self._checks.keys()
        for number, what in enumerate(coming):
            route, endpoint = wanted[what]
            wait = route.interval * number / len(coming) if len(coming) > _MANY else None
            if self._logging_in is not None and route.health in REPLICAS:
                name = f"health of {route.name} {format_endpoint(endpoint)}"
                self._tasks[what] = spawn(self._keep_asking(route, endpoint, wait or 0.0), name)
            else:
                self._checks[what] = check = self._check(route, endpoint)
                check.begin(wait)

    def close(self) -> None:
        """Stop probing."""
        for task in self._tasks.values():
            task.cancel()
        for check in self._checks.values():
            check.close()
        self._tasks.clear()
        self._checks.clear()
        if self._conversations is not None:
            self._conversations.close()

    def _check(self, route: Route, endpoint: Endpoint) -> Check:
        from ambassador.probes.table import probe_of  # noqa: PLC0415 (ten modules)

        if self._conversations is None:
            self._conversations = Conversations()
        asked = route, endpoint, probe_of(route.health, route.proto)
        heard = self._heard(route, endpoint)
        return Check(self._conversations, self._resolver, self._keyring, heard, asked)

    async def _keep_asking(self, route: Route, endpoint: Endpoint, wait: float) -> None:
        """Repeat a probe that keeps its connection."""
        assert self._logging_in is not None
        await asyncio.sleep(wait)
        heard = self._heard(route, endpoint)
        async with self._logging_in(route, endpoint) as answer:
            while True:
                found = await answer()
                heard.among(list(filter(None, found)))
                for address, why in found.items():
                    if heard.changes(why, address or None):
                        await heard.tell(why)
                # Spread out, where thousands were added at one moment.
                await asyncio.sleep(route.interval * random.uniform(0.9, 1.1))

    def _heard(self, route: Route, endpoint: Endpoint) -> Heard:
        return Heard(route, endpoint, self._judge)


def _questions(route: Route) -> dict[_What, tuple[Route, Endpoint]]:
    if not route.health or route.follows:  # a follower asks its members itself
        return {}
    return {_what(route, endpoint): (route, endpoint) for endpoint in route.endpoints}


def _what(route: Route, endpoint: Endpoint) -> _What:
    return (
        route.key,
        endpoint.address,
        endpoint.proxy,
        route.health,
        route.interval,
        route.rise,
        route.fall,
        (route.lag, route.user, route.password_file, route.health_tls),
    )
