"""Leads the services that routes name to where etcd says, and reports the result.

There is one task for each service, and it looks again when it has ended: so nothing is done twice
and no change is missed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from ambassador import log
from ambassador.core.fleet.destination import Destination, destination, put
from ambassador.core.fleet.picture import NOTHING, Picture
from ambassador.core.fleet.records import Applied, State
from ambassador.errors import AmbassadorError, NotVerifiedError, in_a_line
from ambassador.model import Endpoint, Existing, Proto, Route
from ambassador.ports import Verifier
from ambassador.spec import format_endpoint
from ambassador.tasks import Coalesced

__all__ = ["Following", "Place", "Report"]

_LIMIT = 5.0  # seconds in which the new endpoints of a move have to answer
_AGAIN, _LONGEST = 1.0, 15.0  # seconds until they are asked again

# Leads the routes of a service to where it is placed: service, who, what, existing.
Place = Callable[[str, str, str, Existing | None], Awaitable[None]]
Report = Callable[[str, Applied | None, float], None]  # somebody waits for it for so many seconds
_Key = tuple[str, Proto]


@dataclass(slots=True)
class _Here:
    """Where a service is placed in this ambassador."""

    endpoints: tuple[Endpoint, ...] | None = None  # None: the endpoints of the routes themselves
    waits: bool = False  # clients wait for a move
    known: bool = False  # false: etcd has not said anything of it yet
    failures: int = 0
    again: asyncio.TimerHandle | None = field(default=None, repr=False)


class Following:
    """Follows for the ambassador `who`; `routes` returns the installed routes."""

    def __init__(
        self,
        who: str,
        host: str,
        *,
        routes: Callable[[], Sequence[Route]],
        verifier: Verifier | None,
        place: Place,
        report: Report,
    ) -> None:
        self.picture: Picture = NOTHING
        self._who = who
        self._host = host
        self._routes = routes
        self._verifier = verifier
        self._place = place
        self._report = report
        self._here: dict[_Key, _Here] = {}
        self._work: dict[str, Coalesced] = {}
        self._begun = False
        self._closed = False

    def placed(self, route: Route) -> Route:
        """Return `route`, as it is written, with the endpoints of its service."""
        if not route.service:
            return route
        here = self._of(route.service, route.proto)
        return put(route, here.endpoints, waits=here.waits)

    def begin(self) -> None:
        """The routes exist now: lead them from now on."""
        self._begun = True
        self.look()

    def look(self) -> None:
        """Look at every service that routes name, because the picture or the routes have
        changed.
        """
        if not self._begun or self._closed:
            return
        named = {route.service for route in self._routes() if route.service}
        for service in self._work.keys() - named:
            del self._work[service]
            self._forget(service)
        for service in named:
            work = self._work.get(service)
            if work is None:
                settle = partial(self._settle, service)
                work = self._work[service] = Coalesced(settle, f"lead {service}")
            work.ask()

    def close(self) -> None:
        """Stop leading; routes stay where they are."""
        self._closed = True
        for here in self._here.values():
            if here.again is not None:
                here.again.cancel()

    def _of(self, service: str, proto: Proto) -> _Here:
        """Return where a service is placed; at first where etcd says, since there is no earlier
        place to keep.
        """
        here = self._here.setdefault((service, proto), _Here())
        if not here.known:
            here.known = True
            there = destination(self.picture.service(service), self._who, proto)
            here.endpoints = None if there.own or there.tried else there.endpoints
        return here

    def _forget(self, service: str) -> None:
        for key in [key for key in self._here if key[0] == service]:
            here = self._here.pop(key)
            if here.again is not None:
                here.again.cancel()
        self._report(service, None, 0.0)

    async def _settle(self, service: str) -> None:
        if self._closed:
            return
        reports, within = [], 0.0
        led = [route for route in self._routes() if route.service == service]
        for proto in Proto:
            routes = [r for r in led if r.proto is proto]
            if routes:
                there = destination(self.picture.service(service), self._who, proto)
                within = max(within, there.within)
                reports.append(await self._lead(there, service, proto, routes))
        if reports:
            refused = [one for one in reports if one.state == State.REFUSED]
            self._report(service, (refused or reports)[0], within)

    async def _lead(
        self, there: Destination, service: str, proto: Proto, routes: Sequence[Route]
    ) -> Applied:
        here = self._of(service, proto)
        endpoints = None if there.own else there.endpoints
        own = [route.name for route in routes if not route.placed]
        if own:
            why = f"moved here by an operator: ambassador reset {own[0]}"
            return self._applied(there, State.REFUSED, _written(routes[0].endpoints), why)
        try:
            if there.asked and endpoints and endpoints != here.endpoints:
                await self._verify(routes, endpoints)
            if there.tried:
                await self._go(service, here, there, here.endpoints, waits=True)
            else:
                await self._go(service, here, there, endpoints, waits=False)
        except AmbassadorError as error:
            why = in_a_line(error).removesuffix("; nothing has changed")
            if here.waits and not there.tried:
                await self._release(service, here)
            self._later(service, here)
            text = f"{service}  stays where it was: {why}"
            log.event(log.WARNING, "fleet_refused", text, service=service, reason=why)
            return self._applied(there, State.REFUSED, _written(here.endpoints or ()), why)
        here.failures = 0
        state = State.HELD if there.tried else State.APPLIED
        return self._applied(there, state, _written(here.endpoints or ()))

    async def _go(
        self,
        service: str,
        here: _Here,
        there: Destination,
        endpoints: tuple[Endpoint, ...] | None,
        *,
        waits: bool,
    ) -> None:
        """Place the service there; on failure it stays where it was."""
        if (endpoints, waits) == (here.endpoints, here.waits):
            return
        before = here.endpoints, here.waits
        here.endpoints, here.waits = endpoints, waits
        try:
            who = f"fleet ({there.who})" if there.who else "fleet"
            await self._place(service, who, there.why, there.existing)
        except AmbassadorError:
            here.endpoints, here.waits = before
            raise

    async def _release(self, service: str, here: _Here) -> None:
        here.waits = False
        try:
            await self._place(service, "fleet", "a move was taken back", None)
        except AmbassadorError as error:
            log.event(log.ERROR, "fleet_failed", f"{service}  {error}", service=service)

    async def _verify(self, routes: Iterable[Route], endpoints: Sequence[Endpoint]) -> None:
        """Raise NotVerifiedError where one of `endpoints` does not answer as a route requires."""
        asked = set()
        for route in routes if self._verifier is not None else ():
            if route.health in asked:
                continue
            asked.add(route.health)
            try:
                async with asyncio.timeout(_LIMIT):
                    assert self._verifier is not None
                    await self._verifier.verify(route, endpoints)
            except TimeoutError:
                where = ", ".join(_written(endpoints))
                raise NotVerifiedError(f"{where} did not answer within {_LIMIT:g} s") from None

    def _later(self, service: str, here: _Here) -> None:
        """Try again after some time, as long as etcd says the same."""
        here.failures += 1
        seconds = min(_LONGEST, _AGAIN * 2 ** min(here.failures - 1, 6))
        if here.again is not None:
            here.again.cancel()
        loop = asyncio.get_running_loop()
        here.again = loop.call_later(seconds * random.uniform(0.8, 1.2), self._again, service)

    def _again(self, service: str) -> None:
        if not self._closed and (work := self._work.get(service)):
            work.ask()

    def _applied(
        self, there: Destination, state: str, endpoints: tuple[str, ...], why: str = ""
    ) -> Applied:
        return Applied(there.revision, state, endpoints, why, self._host)


def _written(endpoints: Iterable[Endpoint]) -> tuple[str, ...]:
    return tuple(map(format_endpoint, endpoints))
