"""How each command is performed: decided by `core.decide`, applied by `Applier`."""

from __future__ import annotations

import time
from asyncio import to_thread
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ambassador.control import outcome
from ambassador.control.apply import Applier
from ambassador.control.deadlines import Deadlines
from ambassador.control.moves import Moves
from ambassador.control.noted import Noted
from ambassador.control.record import Record
from ambassador.control.showing import Showing
from ambassador.control.stack import PlaneStack
from ambassador.control.switches import Switches
from ambassador.control.views import numbers
from ambassador.core.chosen import chosen
from ambassador.core.commands import (
    Add,
    Command,
    Cut,
    Drain,
    History,
    Move,
    Numbers,
    Ready,
    Release,
    Reload,
    Reset,
    Result,
    Sessions,
    Status,
    Undo,
)
from ambassador.core.decide import add, decide
from ambassador.core.examples import typed
from ambassador.core.meant import meant
from ambassador.core.names import find
from ambassador.core.results import Done, NumbersView, ShortageView, Undone
from ambassador.core.situation import Decision, Situation
from ambassador.core.undoing import UndoPlan, undo
from ambassador.errors import (
    AmbassadorError,
    ConfigError,
    NotFoundError,
    PlaneError,
    Problem,
    RunError,
)
from ambassador.garbage import none_collected
from ambassador.model import Admin, Endpoint, Existing, Fate, Reason, Route, Snapshot
from ambassador.ports import Engines, RouteStatus, Verifier
from ambassador.spec import format_endpoint

__all__ = ["Executor"]

_T = TypeVar("_T")

_Chosen = Sequence[tuple[Route, Sequence[Endpoint]]]
# Commands that let clients go on are done also where they cannot be stored; see Applier.wish.
_FREEING = (Release, Ready, Reset)


class Executor:
    """Performs commands, one at a time; `showing` answers commands that change nothing.

    `verifier` probes endpoints before and after a move (without it they are not probed),
    `read_assignments` returns the routes of an `Add` (without it nothing can be added).
    """

    def __init__(
        self,
        applier: Applier,
        plane: PlaneStack,
        switches: Switches,
        noted: Noted,
        *,
        verifier: Verifier | None,
        read_assignments: Callable[[Sequence[str]], Snapshot] | None,
        shortages: Callable[[], Sequence[ShortageView]],
        counted: Callable[[RouteStatus], NumbersView] | None,
        record: Record,
        engines: Engines | None = None,
    ) -> None:
        self._applier = applier
        self._record = record
        self._plane = plane
        self._read_assignments = read_assignments
        self.deadlines = Deadlines(plane.sessions, plane.cut, record.changed)
        self._moves = Moves(applier, plane, verifier)
        self.showing = Showing(
            applier,
            plane,
            switches,
            self.deadlines,
            noted,
            shortages=shortages,
            counted=counted or numbers,
            engines=engines,
        )

    def close(self) -> None:
        """Break off a move that is in an early step, and end no more sessions."""
        self._moves.close()
        self.deadlines.close()

    async def do(self, command: Command, who: str, deadline: float) -> Result:
        """Do what `command` says; see `Reconciler.execute`. `deadline` is by the loop's clock.

        What is to be done is decided in a thread: a command may name thousands of endpoints or
        routes, and sessions must not wait for that. Nothing else changes meanwhile.
        """
        try:
            return await self._do(command, who, deadline)
        except NotFoundError as error:
            name = getattr(command, "route", "")
            if not name or any(problem.where != "route" for problem in error.problems):
                raise
            raise self.showing.explained(name, error) from None

    async def _do(self, command: Command, who: str, deadline: float) -> Result:
        applier = self._applier
        now = Situation(applier.desired, applier.routes, applier.wishes, who, time.time())
        undone = 0
        match command:
            case Move():
                result: Result = await self._tried(
                    now, command.route, typed(command), self._moves.do(command, now, deadline)
                )
                if command.check:
                    return result
            case Undo():
                it = await to_thread(undo, now, command, self._record.history)
                undone = it.number
                result = await self._tried(
                    now, command.route, typed(command), self._undo(command, it, now, deadline)
                )
            case Cut():
                return await self._cut(command)
            case Add():
                with none_collected():
                    result = await self._ask(await to_thread(self._add, now, command), who)
            case Status() | Sessions() | History() | Numbers() | Reload():
                raise AssertionError(command)
            case _:
                with none_collected():
                    wanted = await to_thread(decide, now, command)
                    result = await self._ask(wanted, who, isinstance(command, _FREEING))
        said = getattr(result, "message", "")
        await self._record.note(
            now.wishes, applier.wishes, who=who, when=now.when, what=said, undone=undone
        )
        self.deadlines.keep_only(
            (route.key, endpoint.address)
            for route in applier.routes
            for endpoint in route.endpoints
            if endpoint.admin is Admin.DRAIN
        )
        if isinstance(command, Drain):
            named = command.route, command.endpoint
            found = await to_thread(chosen, applier.routes, *named)
            if command.deadline:
                for route, endpoints in found:
                    for one in endpoints:
                        place = route.key, one.address
                        self.deadlines.drain(place, command.deadline, route.name)
            await self._plane.measure()
            statuses = await self._plane.look([route for route, _ in found])
            told = outcome.drain_begun
            text, count = await to_thread(told, found, statuses, command.deadline, now.when)
            assert isinstance(result, Done)
            result = Done(f"{result.message}, {text}", result.routes, count)
        return result

    async def _undo(self, command: Undo, it: UndoPlan, now: Situation, deadline: float) -> Undone:
        began, applier, kept = time.monotonic(), self._applier, self._applier.keeps
        moved = None
        if it.move is not None:
            await to_thread(applier.check, it.wishes)
            moved = await self._moves.make(command, it.move, now.who, deadline)
        else:
            await self._applier.wish(it.wishes, now.who, it.message, owed=True)
        here = applier.installed(it.route.key)
        notes = () if kept else ("without AMBASSADOR_STATE it is so until the ambassador ends",)
        return Undone(
            it.message,
            it.route.name,
            it.number,
            tuple(format_endpoint(one) for route in here for one in route.endpoints),
            round(time.monotonic() - began, 6),
            moved.held if moved else 0,
            moved.notes if moved else notes,
            moved.sessions if moved else 0,
        )

    async def _tried(self, now: Situation, name: str, what: str, trying: Awaitable[_T]) -> _T:
        """Return the result of `trying`, which changes the route called `name`; a failure is noted
        in the history, unless the command itself was wrong.
        """
        try:
            return await trying
        except ConfigError:
            raise
        except AmbassadorError as error:
            if "check" in what:
                raise
            route = await to_thread(find, now.routes, name)
            await self._record.note_failure(route, now.who, now.when, what, error)
            raise

    async def _ask(self, wanted: Decision, who: str, owed: bool = False) -> Done:
        await self._applier.wish(wanted.wishes, who, wanted.message, owed=owed)
        unkept = self._applier.unkept
        owing = f"; a restart would undo it: {unkept}" if unkept else ""
        return Done(f"{wanted.message}{owing}", wanted.routes)

    async def _cut(self, command: Cut) -> Done:
        if command.rate < 0:
            raise ConfigError(Problem("rate", "must be 0 or more", str(command.rate)))
        sessions = await self._plane.sessions()
        found = await to_thread(meant, command, sessions, self._applier.routes)
        existing = Existing(Fate.CUT, rate=command.rate)
        ended = await self.deadlines.cut([one.id for one in found], existing, Reason.CUT)
        names = tuple(dict.fromkeys(one.route.name for one in found))
        if not command.rate and (why := await self._plane.untold([one.id for one in found])):
            raise PlaneError(why)
        if not command.rate or not found:
            return Done(f"{outcome.counted(ended)} cut", names, ended)
        message = outcome.cut_begun(len(found), command.rate, time.time())
        return Done(message, names, len(found))

    def _add(self, now: Situation, command: Add) -> Decision:
        return add(now, self._read_added(command))

    def _read_added(self, command: Add) -> tuple[Route, ...]:
        if self._read_assignments is None:
            raise RunError("this ambassador takes no routes at run time")
        if not command.assignments:
            raise ConfigError(Problem("assignments", "is empty", expected="at least one"))
        return self._read_assignments(command.assignments).routes
