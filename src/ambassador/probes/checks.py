"""Ask every endpoint of every route with `health`, again and again, and tell what follows."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from ambassador import log
from ambassador.core.health import Verdict, after
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step
from ambassador.errors import AmbassadorError, ResolveError
from ambassador.model import Address, Endpoint, Health, Route, RouteKey
from ambassador.ports import EndpointJudged, LoggingIn, Resolver
from ambassador.probes.exchange import NoAnswerError, ask, host_of, known_places, places
from ambassador.spec import format_endpoint
from ambassador.spec.health import REPLICAS
from ambassador.tasks import spawn
from ambassador.tls.keyring import Keyring

__all__ = ["HealthChecks"]

_What = tuple[RouteKey, Address, int, str, float, int, int, tuple[float, str, str, str]]

_MANY = 50  # endpoints that come at one moment; more are asked one after the other at first
_LIMIT = 3.0  # seconds for one answer, where the interval is not shorter


class HealthChecks:
    """One task an endpoint; `change` says which there are, `close` ends them. `logging_in` asks
    what only who has logged in is told.

    An endpoint whose name has several addresses is healthy while one of them answers, since
    sessions try them all.
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
        self._tasks: dict[_What, asyncio.Task[None]] = {}

    def change(self, steps: Sequence[Step]) -> None:
        """Ask the endpoints of routes as `steps` have left them."""
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
            if what[:2] not in places:  # it may still be there, and not be asked
                spawn(self._judge(*what[:2], Health.UNKNOWN, ""), "health no longer asked for")
        coming = wanted.keys() - self._tasks.keys()
        for number, what in enumerate(coming):
            route, endpoint = wanted[what]
            name = f"health of {route.name} {format_endpoint(endpoint)}"
            wait = route.interval * number / len(coming) if len(coming) > _MANY else 0.0
            self._tasks[what] = spawn(self._ask(route, endpoint, wait), name)

    def close(self) -> None:
        """Ask no longer."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    async def _ask(self, route: Route, endpoint: Endpoint, wait: float) -> None:
        await asyncio.sleep(wait)
        async with contextlib.AsyncExitStack() as stack:
            answer: Callable[[], Awaitable[str]] = partial(self._answer, route, endpoint)
            if self._logging_in is not None and route.health in REPLICAS:
                answer = await stack.enter_async_context(self._logging_in(route, endpoint))
            await self._ask_on(route, endpoint, answer)

    async def _ask_on(
        self, route: Route, endpoint: Endpoint, answer: Callable[[], Awaitable[str]]
    ) -> None:
        verdict = Verdict()
        told = Health.UNKNOWN
        while True:
            why = await answer()
            verdict = after(verdict, not why, route.rise, route.fall)
            if verdict.health is not told:
                try:
                    await self._judge(route.key, endpoint.address, verdict.health, why)
                except AmbassadorError as error:  # told again after the next answer
                    log.event(log.ERROR, "not_judged", f"{route.name}  {error}", route=route.name)
                else:
                    told = verdict.health
                    _tell(route, endpoint, told, why)
            # Not all at once, where thousands were added in one moment.
            await asyncio.sleep(route.interval * random.uniform(0.9, 1.1))

    async def _answer(self, route: Route, endpoint: Endpoint) -> str:
        """Return why `endpoint` does not work, nothing when it does."""
        limit = min(route.interval, _LIMIT)
        why = ""
        found = known_places(endpoint, self._resolver, route.health)
        if not found:
            try:
                async with asyncio.timeout(_LIMIT):
                    found = await places(endpoint, self._resolver, route.health)
            except ResolveError as error:
                return str(error)
            except TimeoutError:
                return "its name is not resolved in time"
        for place in found:
            try:
                from ambassador.probes.table import probe_of  # noqa: PLC0415 (ten modules)

                probe = probe_of(route.health, route.proto)
                await ask(probe, place, endpoint, limit, self._keyring)
            except NoAnswerError as error:
                why = str(error)
            else:
                return ""
        self._resolver.doubt(host_of(endpoint))
        return why


def _questions(route: Route) -> dict[_What, tuple[Route, Endpoint]]:
    if not route.health or route.follows:  # which member is the primary, its follower asks
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


def _tell(route: Route, endpoint: Endpoint, health: Health, why: str) -> None:
    where = format_endpoint(endpoint)
    log.event(
        log.WARNING if health is Health.UNHEALTHY else log.INFO,
        f"endpoint_{health}",
        f"{route.name}  {where} is {health}" + (f": {why}" if why else ""),
        route=route.name,
        endpoint=where,
        health=health.value,
        reason=why,
    )
