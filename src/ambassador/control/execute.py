"""What becomes of each command: decided by `core.decide`, done by `Applier`."""

from __future__ import annotations

import asyncio
import os
import time
from asyncio import to_thread
from collections.abc import Callable, Sequence
from dataclasses import replace

from ambassador import __version__
from ambassador.control import outcome
from ambassador.control.apply import Applier
from ambassador.control.deadlines import Deadlines
from ambassador.control.stack import PlaneStack
from ambassador.control.switches import Switches
from ambassador.control.views import route_view, session_list
from ambassador.core.commands import (
    Add,
    Command,
    Cut,
    Drain,
    Move,
    Ready,
    Release,
    Reload,
    Reset,
    Result,
    Sessions,
    Status,
)
from ambassador.core.decide import (
    Decision,
    MovePlan,
    Situation,
    add,
    chosen,
    decide,
    move,
)
from ambassador.core.describe import describe_listen
from ambassador.core.meant import meant
from ambassador.core.names import find
from ambassador.core.results import (
    Done,
    EarlierView,
    Moved,
    RemovedView,
    SessionList,
    ShortageView,
    SourceView,
    StatusView,
)
from ambassador.errors import (
    AmbassadorError,
    ConfigError,
    NotFoundError,
    NotVerifiedError,
    PlaneError,
    Problem,
    RunError,
    TimedOutError,
)
from ambassador.garbage import none_collected
from ambassador.model import (
    Address,
    Admin,
    Endpoint,
    Existing,
    Fate,
    Reason,
    Route,
    RouteKey,
    Snapshot,
)
from ambassador.ports import Verifier
from ambassador.spec import format_endpoint
from ambassador.tasks import Slice, spawn

__all__ = ["Executor"]

# What lets clients go on is done also where it cannot be kept; see Applier.wish.
_FREEING = (Release, Ready, Reset)


class Executor:
    """Performs commands, one at a time; `status` and `sessions` at any time.

    `verifier` is asked before and after a move, `read_assignments` returns the routes of what
    `Add` brings; without them nobody is asked, and nothing can be added.
    """

    def __init__(
        self,
        applier: Applier,
        plane: PlaneStack,
        switches: Switches,
        *,
        verifier: Verifier | None,
        read_assignments: Callable[[Sequence[str]], Snapshot] | None,
        shortages: Callable[[], Sequence[ShortageView]],
    ) -> None:
        self.reasons: dict[tuple[RouteKey, Address], str] = {}  # the last word of each probe
        self.switches = switches
        self._applier = applier
        self._plane = plane
        self._verifier = verifier
        self._read_assignments = read_assignments
        self._shortages = shortages
        self._deadlines = Deadlines(plane.sessions, plane.cut)
        self._started = time.monotonic()
        self._verifying: asyncio.Task[AmbassadorError | None] | None = None
        self._closed = False

    def close(self) -> None:
        """Break off a move that has not come far, and end no sessions any longer."""
        self._closed = True
        self._deadlines.close()
        if self._verifying is not None:
            self._verifying.cancel()

    async def do(self, command: Command, who: str, deadline: float) -> Result:
        """Do what `command` says; see `Reconciler.execute`. `deadline` by the loop's clock.

        What is to be done is found out in a thread: a command may name thousands of endpoints or
        routes, and sessions do not wait for that. Nothing changes meanwhile.
        """
        try:
            return await self._do(command, who, deadline)
        except NotFoundError as error:
            name = getattr(command, "route", "")
            if not name or any(problem.where != "route" for problem in error.problems):
                raise
            raise self._explained(name, error) from None

    async def _do(self, command: Command, who: str, deadline: float) -> Result:
        applier = self._applier
        now = Situation(applier.desired, applier.routes, applier.wishes, who, time.time())
        match command:
            case Move():
                result: Result = await self._move(command, now, deadline)
            case Cut():
                return await self._cut(command)
            case Add():
                with none_collected():
                    result = await self._ask(await to_thread(self._add, now, command), who)
            case Status() | Sessions() | Reload():
                raise AssertionError(command)
            case _:
                with none_collected():
                    wanted = await to_thread(decide, now, command)
                    result = await self._ask(wanted, who, isinstance(command, _FREEING))
        self._deadlines.keep_only(
            (route.key, endpoint.address)
            for route in applier.routes
            for endpoint in route.endpoints
            if endpoint.admin is Admin.DRAIN
        )
        if isinstance(command, Drain):
            if command.deadline:
                self._drain(command)
            await self._plane.measure()
            found = chosen(applier.routes, command.route, command.endpoint)
            statuses = await self._plane.look([route for route, _ in found])
            text, count = outcome.drain_begun(found, statuses, command.deadline, now.when)
            assert isinstance(result, Done)
            result = Done(f"{result.message}, {text}", result.routes, count)
        return result

    async def _ask(self, wanted: Decision, who: str, owed: bool = False) -> Done:
        await self._applier.wish(wanted.wishes, who, wanted.message, owed=owed)
        unkept = self._applier.unkept
        owing = f"; a restart would undo it: {unkept}" if unkept else ""
        return Done(f"{wanted.message}{owing}", wanted.routes)

    async def status(
        self, command: Status, phase: str, sources: tuple[SourceView, ...]
    ) -> StatusView:
        """Return what is."""
        route = self._find(command.route) if command.route else None
        await self._plane.measure()
        with none_collected():
            return await self._status(route, phase, sources)

    async def _status(
        self, route: Route | None, phase: str, sources: tuple[SourceView, ...]
    ) -> StatusView:
        statuses = await self._plane.look(self._applier.routes if route is None else [route])
        if route is not None and not statuses:  # removed meanwhile
            self._find(route.name)
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
            follow, status = self.switches.view(one.route), replace(one, why=why)
            views.append(route_view(status, self.reasons, changed, differs, follow))
        uptime = round(time.monotonic() - self._started, 3)
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
        )

    def _removed(self) -> tuple[RemovedView, ...]:
        return tuple(
            RemovedView(one.name, describe_listen(one), self._applier.differs(one.key))
            for one in self._applier.gone
        )

    async def sessions(self, command: Sessions) -> SessionList:
        """Return the open sessions."""
        if command.limit < 1:
            raise ConfigError(Problem("limit", "must be at least 1", str(command.limit)))
        route = self._find(command.route) if command.route else None
        found, piece = [], Slice()
        for one in await self._plane.sessions():
            await piece.end()
            if route is None or one.route.key == route.key:
                leaving = one.state == "open" and self._deadlines.leaving(one)
                found.append(replace(one, state="leaving") if leaving else one)
        # In a thread: there may be thousands.
        return await to_thread(session_list, found, command.limit)

    def _find(self, name: str) -> Route:
        """Return the route called `name`. Raises NotFoundError that knows of one removed."""
        try:
            return find(self._applier.routes, name)
        except NotFoundError as error:
            raise self._explained(name, error) from None

    def _explained(self, name: str, error: NotFoundError) -> NotFoundError:
        """Return `error`, or what has become of the route called `name`."""
        try:
            one = find(self._applier.gone, name)
        except ConfigError:
            return error
        what = f"{one.name} is {self._applier.differs(one.key).partition(';')[0]}"
        expected = f"ambassador reset {one.name}, which brings it back"
        return NotFoundError(Problem("route", what, "", expected))

    async def _move(self, command: Move, now: Situation, deadline: float) -> Moved:
        began, applier = time.monotonic(), self._applier
        it = await to_thread(self._decide_move, now, command)
        await self._verify(command, it.route, it.endpoints, deadline)
        before, key = applier.wishes, it.route.key
        await applier.apply(applier.desired, it.between, now.who, it.message)
        try:
            await self._verify(command, it.route, it.endpoints, deadline)
            (status,) = self._plane.status(applier.installed(key))
            once = {key: it.existing} if it.existing else None
            await applier.wish(it.after, now.who, it.message, once)
        except AmbassadorError:
            # Whoever came in between was given to the new endpoint, and stays there.
            keep = {key: Existing()}
            await applier.apply(applier.desired, before, now.who, "a move was undone", keep)
            raise
        here = applier.installed(key)
        await self._plane.measure(here)  # counting all of thousands takes 0.3 s
        (after,) = self._plane.status(here)
        return Moved(
            it.message,
            it.route.name,
            tuple(map(format_endpoint, it.endpoints)),
            tuple(map(format_endpoint, it.route.endpoints)),
            round(time.monotonic() - began, 6),
            status.held,
            outcome.moved(it, after, kept=applier.keeps),
        )

    def _decide_move(self, now: Situation, command: Move) -> MovePlan:
        it = move(now, command)
        self._applier.check(it.after)  # raises where it would lead back to itself
        return it

    async def _verify(
        self, command: Move, route: Route, endpoints: Sequence[Endpoint], deadline: float
    ) -> None:
        if not command.verify or self._verifier is None:
            return
        where = ", ".join(map(format_endpoint, endpoints))
        given = deadline - asyncio.get_running_loop().time()
        if given <= 0:
            raise TimedOutError(f"no time was left to ask {where}; nothing has changed")
        self._verifying = spawn(self._answer(self._verifier, route, endpoints), "verify")
        try:
            async with asyncio.timeout_at(deadline):
                failure = await self._verifying
            if failure is not None:
                raise failure
        except asyncio.CancelledError:
            if not self._closed:
                raise
            raise RunError("the ambassador is stopping; nothing has changed") from None
        except TimeoutError:
            within = min(command.timeout, round(given, 1) or 0.1)
            raise NotVerifiedError(
                f"{where} did not answer within {within:g} s; nothing has changed"
            ) from None

    @staticmethod
    async def _answer(
        verifier: Verifier, route: Route, endpoints: Sequence[Endpoint]
    ) -> AmbassadorError | None:
        try:
            await verifier.verify(route, endpoints)
        except AmbassadorError as error:
            return error
        return None

    async def _cut(self, command: Cut) -> Done:
        if command.rate < 0:
            raise ConfigError(Problem("rate", "must be 0 or more", str(command.rate)))
        sessions = await self._plane.sessions()
        found = await to_thread(meant, command, sessions, self._applier.routes)
        existing = Existing(Fate.CUT, rate=command.rate)
        ended = await self._deadlines.cut([one.id for one in found], existing, Reason.CUT)
        names = tuple(dict.fromkeys(one.route.name for one in found))
        if not command.rate and (why := await self._plane.untold([one.id for one in found])):
            raise PlaneError(why)
        if not command.rate or not found:
            return Done(f"{outcome.counted(ended)} cut", names, ended)
        message = outcome.cut_begun(len(found), command.rate, time.time())
        return Done(message, names, len(found))

    def _drain(self, command: Drain) -> None:
        existing = Existing(Fate.DRAIN, seconds=command.deadline)
        for route, endpoints in chosen(self._applier.routes, command.route, command.endpoint):
            for endpoint in endpoints:
                self._deadlines.drain((route.key, endpoint.address), existing)

    def _add(self, now: Situation, command: Add) -> Decision:
        return add(now, self._read_added(command))

    def _read_added(self, command: Add) -> tuple[Route, ...]:
        if self._read_assignments is None:
            raise RunError("this ambassador takes no routes at run time")
        if not command.assignments:
            raise ConfigError(Problem("assignments", "is empty", expected="at least one"))
        return self._read_assignments(command.assignments).routes
