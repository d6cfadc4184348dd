"""The present state: the routes, the sources and the open sessions, as an operator reads them."""

from __future__ import annotations

import os
import time
from asyncio import to_thread
from collections.abc import Callable, Sequence
from dataclasses import replace

from ambassador import __version__
from ambassador.control.apply import Applier
from ambassador.control.deadlines import Deadlines
from ambassador.control.noted import Noted
from ambassador.control.record import Record
from ambassador.control.stack import PlaneStack
from ambassador.control.switches import Switches
from ambassador.control.views import route_view, session_list
from ambassador.core.commands import Command, History, Numbers, Result, Sessions, Status
from ambassador.core.describe import describe_listen
from ambassador.core.names import find
from ambassador.core.results import (
    ChangeList,
    EarlierView,
    NumbersView,
    RemovedView,
    RouteView,
    SessionList,
    ShortageView,
    SourceView,
    StatusView,
)
from ambassador.errors import ConfigError, NotFoundError, Problem
from ambassador.garbage import none_collected
from ambassador.model import Endpoint, Inet, Route
from ambassador.ports import Engines, RouteStatus
from ambassador.spec.container import is_asked
from ambassador.tasks import Slice

__all__ = ["Showing"]

_ANEW = 50  # attempts for a route that comes and goes during the look


class Showing:
    """Answers commands that change nothing, at any time; `deadlines` knows which sessions are about
    to end.
    """

    def __init__(
        self,
        applier: Applier,
        plane: PlaneStack,
        switches: Switches,
        deadlines: Deadlines,
        noted: Noted,
        *,
        shortages: Callable[[], Sequence[ShortageView]],
        counted: Callable[[RouteStatus], NumbersView],
        engines: Engines | None = None,
    ) -> None:
        self._counted = counted
        self._engines = engines
        self._noted = noted
        self._applier = applier
        self._plane = plane
        self._switches = switches
        self._deadlines = deadlines
        self._shortages = shortages

    async def answer(
        self, command: Command, phase: str, sources: tuple[SourceView, ...], record: Record
    ) -> Result:
        """Answer a command that changes nothing."""
        match command:
            case Status():
                return await self.status(command, phase, sources)
            case Sessions():
                return await self.sessions(command)
            case Numbers():
                return await self.numbers(command)
            case History():
                return await self.history(command, record)
            case _:
                raise AssertionError(command)

    async def status(
        self, command: Status, phase: str, sources: tuple[SourceView, ...]
    ) -> StatusView:
        """Return the state of one route, or of all."""
        route = await self._find(command.route) if command.route else None
        await self._plane.measure()
        with none_collected():
            return await self._status(route, phase, sources)

    async def _status(
        self, route: Route | None, phase: str, sources: tuple[SourceView, ...]
    ) -> StatusView:
        statuses = await self._plane.look(self._applier.routes if route is None else [route])
        for _ in range(_ANEW):
            if route is None or statuses:
                break
            route = await self._find(route.name)  # removed meanwhile, and perhaps back
            statuses = await self._plane.look([route])
        views = []
        piece = Slice()
        for one in statuses:
            await piece.end()
            key = one.route.key
            changed, differs = self._applier.changed.get(key), self._applier.differs(key)
            why = one.why
            if phase == "stopping":
                why = "the ambassador is stopping"
            elif one.route.hold is not None:
                why = self._applier.held_by(key)
            follow, status = self._switches.view(one.route), replace(one, why=why)
            view = route_view(status, self._noted, changed, differs, follow)
            views.append(self._with_containers(view, one.route))
        uptime = round(time.monotonic() - self._noted.started, 3)
        earlier = tuple(EarlierView(*one) for one in self._plane.processes)
        removed = () if route is not None else self._removed()
        return StatusView(
            phase,
            __version__,
            os.getpid(),
            uptime,
            tuple(views),
            sources,
            earlier,
            removed,
            self._applier.unkept,
            tuple(self._shortages()),
            self._noted.place,
            tuple(self._engines.views()) if self._engines is not None else (),
            self._noted.identity(),
        )

    def _with_containers(self, view: RouteView, route: Route) -> RouteView:
        """Return `view` with the containers that its endpoints mean."""
        if self._engines is None or not any(_is_asked(one) for one in route.endpoints):
            return view
        endpoints = []
        for one, endpoint in zip(view.endpoints, route.endpoints, strict=True):
            if not isinstance(endpoint.address, Inet) or not _is_asked(endpoint):
                endpoints.append(one)
                continue
            containers, problem = self._engines.view(endpoint.address.host)
            reason = problem or one.reason
            usable = one.usable and not problem
            endpoints.append(
                replace(one, containers=tuple(containers), reason=reason, usable=usable)
            )
        return replace(view, endpoints=tuple(endpoints))

    def _removed(self) -> tuple[RemovedView, ...]:
        return tuple(
            RemovedView(one.name, describe_listen(one), self._applier.differs(one.key))
            for one in self._applier.gone
        )

    async def sessions(self, command: Sessions) -> SessionList:
        """Return the open sessions."""
        if command.limit < 1:
            raise ConfigError(Problem("limit", "must be at least 1", str(command.limit)))
        route = await self._find(command.route) if command.route else None
        found, piece = [], Slice()
        for one in await self._plane.sessions():
            await piece.end()
            if route is None or one.route.key == route.key:
                leaving = one.state == "open" and self._deadlines.leaving(one)
                found.append(replace(one, state="leaving") if leaving else one)
        # In a thread: there may be thousands of sessions.
        return await to_thread(session_list, found, command.limit)

    async def history(self, command: History, record: Record) -> ChangeList:
        """Return the changes that `record` has."""
        if command.limit < 1:
            raise ConfigError(Problem("limit", "must be at least 1", str(command.limit)))
        key = None
        if command.route:
            gone = [Route(c.route, c.listen, (), c.proto) for c in reversed(record.history)]
            known = {one.key: one for one in (*gone, *self._applier.gone, *self._applier.routes)}
            key = (await to_thread(find, tuple(known.values()), command.route)).key
        return await to_thread(record.told, key, command.limit)

    async def numbers(self, command: Numbers) -> NumbersView:
        """Return what is counted of a route."""
        route = await self._find(command.route)
        await self._plane.measure()
        for _ in range(_ANEW):
            if statuses := await self._plane.look([route]):
                break
            route = await self._find(route.name)  # removed meanwhile, and perhaps back
        return self._counted(statuses[0])

    async def _find(self, name: str) -> Route:
        """Return the route called `name`. Raises NotFoundError, which says so where the route was
        removed.
        """
        try:
            # In a thread: for a wrong name, all names are searched for a similar one.
            return await to_thread(find, self._applier.routes, name)
        except NotFoundError as error:
            raise self.explained(name, error) from None

    def explained(self, name: str, error: NotFoundError) -> NotFoundError:
        """Return `error`, or what has happened to the route called `name`."""
        try:
            one = find(self._applier.gone, name)
        except ConfigError:
            return error
        what = f"{one.name} is {self._applier.differs(one.key).partition(';')[0]}"
        expected = f"ambassador reset {one.name}, which brings it back"
        return NotFoundError(Problem("route", what, "", expected))


def _is_asked(endpoint: Endpoint) -> bool:
    return isinstance(endpoint.address, Inet) and is_asked(endpoint.address.host)
