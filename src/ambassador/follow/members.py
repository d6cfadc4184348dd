"""Follows members that say themselves whether they are the primary: all are asked at once, each on
a connection that is kept; what that comes to is decided by a rule of `core.follow`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any, Protocol

from ambassador.core.follow.claims import Event, Finding, Place, State, stance, step
from ambassador.core.follow.lead import Lead
from ambassador.core.follow.memory import Memory, followed
from ambassador.core.follow.stage import Stage, Stance
from ambassador.errors import AmbassadorError, ResolveError
from ambassador.follow.base import Report
from ambassador.follow.channel import Denied, Silence
from ambassador.model import Failback, Inet, Route
from ambassador.ports import Resolver
from ambassador.spec import format_address
from ambassador.tasks import spawn

__all__ = ["Asker", "MembersFollower", "Rule"]

_POLL = 0.25  # seconds between two questions, where `interval` is not shorter
_HASTE = 0.05  # while there is no primary
_LIMIT = 0.5  # seconds for one answer
_FIRST = 2.0  # seconds after a start in which all members should have answered
_NAMES = 1.0  # seconds between two looks where the members are


class Asker(Protocol):
    """Asks one member on a connection of its own."""

    async def fact(self, limit: float) -> Any:
        """Return what it says of itself. Raises Silence."""

    def close(self) -> None:
        """Hang up."""


class Rule(Protocol):
    """How one kind of store is followed."""

    def look(
        self, state: State, facts: Mapping[Place, Any], *, gone: bool, auto: bool
    ) -> Finding | None:
        """Return what `facts` come to; see `core.follow.lineage.look`."""

    def asker(self, place: Place, hung_up: Any) -> Asker:
        """Return an object that asks `place`; `hung_up` is called when that ends the connection."""


class MembersFollower:
    """Leads `route` by `rule`; see base.Follower."""

    def __init__(
        self, route: Route, resolver: Resolver, report: Report, memory: Memory | None, rule: Rule
    ) -> None:
        self._route, self._resolver, self._report, self._rule = route, resolver, report, rule
        self.state = _remembered(memory)
        self._why, self._cause = "no member has answered yet", "start"
        self._told: Lead | None = None
        self._news = asyncio.Event()
        self._began = time.monotonic()
        self._pause = min(route.interval, _POLL)
        self._facts: dict[Place, Any] = {}  # the last answer of each; None: it is silent
        self._silent: dict[Place, int] = {}
        self._words: dict[Place, str] = {}
        self._refused: set[Place] = set()
        self._asking: dict[Place, asyncio.Task[None]] = {}
        self._wake: dict[Place, asyncio.Event] = {}
        self._tasks = [
            spawn(self._find(), f"members of {route.listen}"),
            spawn(self._run(), f"follow {route.listen}"),
        ]

    def close(self) -> None:
        """Follow no longer."""
        for task in (*self._tasks, *self._asking.values()):
            task.cancel()

    @property
    def asked(self) -> tuple[int, int]:
        """How many members answer, and how many there are."""
        return sum(fact is not None for fact in self._facts.values()), len(self._asking)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong."""
        found = [
            f"{format_address(Inet(*place))}: {word}" for place, word in self._words.items() if word
        ]
        if self.state.stage is not Stage.USING:
            found.append(self._why)
        return tuple(found)

    async def _find(self) -> None:
        """Keep asking every address of every endpoint that is written."""
        while True:
            wanted: set[Place] = set()
            whole = True
            for endpoint in self._route.endpoints:
                address = endpoint.address
                if isinstance(address, Inet):
                    try:
                        found = await self._resolver.resolve(address.host)
                    except ResolveError:
                        whole = False
                        continue
                    wanted |= {(host, address.port) for host in found}
            for place in (self._asking.keys() - wanted) if whole else ():
                self._asking.pop(place).cancel()
                for known in (self._facts, self._silent, self._words, self._wake):
                    known.pop(place, None)
            for place in wanted - self._asking.keys():
                self._wake[place] = asyncio.Event()
                self._asking[place] = spawn(self._ask_on(place), f"ask {place[0]}:{place[1]}")
            await asyncio.sleep(_NAMES)

    async def _ask_on(self, place: Place) -> None:
        wake = self._wake[place]
        asker = self._rule.asker(place, wake.set)
        try:
            while True:
                wake.clear()
                await self._ask(place, asker)
                pause = self._pause if self.state.stage is Stage.USING else _HASTE
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await wake.wait()
        finally:
            asker.close()

    async def _ask(self, place: Place, asker: Asker) -> None:
        try:
            fact, word = await asker.fact(_LIMIT), ""
        except Denied as denied:  # it is there: no loss of a role
            fact, word = self._facts.get(place), str(denied)
        except Silence as silence:
            fact, word = None, str(silence)
            self._refused.add(place) if silence.refused else self._refused.discard(place)
        if fact is not None:
            self._refused.discard(place)
        news = fact != self._facts.get(place, _NEVER) or fact is None
        self._silent[place] = self._silent.get(place, 0) + 1 if fact is None else 0
        self._facts[place], self._words[place] = fact, word
        if news:
            self._news.set()

    async def _run(self) -> None:
        while True:
            await self._decide()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._news.wait()
            self._news.clear()

    async def _decide(self) -> None:
        state = self.state
        if state.stage is Stage.NONE and not self._complete():
            await self._tell()
            return
        gone = state.place is not None and (
            state.place in self._refused or self._silent.get(state.place, 0) >= self._route.fall
        )
        auto = self._route.failback is Failback.AUTO
        finding = self._rule.look(state, self._facts, gone=gone, auto=auto)
        if finding is not None:
            await self._go(finding)
        if self.state.stage is Stage.SWITCHING:  # sessions to the one before have ended
            await self._go(Finding(Event.CONFIRMED, self._why))

    def _complete(self) -> bool:
        """Return whether every member has said something, or had the time to."""
        answering, number = self.asked
        late = time.monotonic() - self._began > _FIRST
        return bool(number) and (answering == number or (late and answering > 0))

    async def _go(self, finding: Finding) -> None:
        before, self.state = self.state, step(self.state, finding)
        if self.state.stage is not before.stage or self.state.place != before.place:
            where = f"{format_address(Inet(*finding.place))}: " if finding.place else ""
            self._why = finding.why if finding.event is Event.CONFIRMED else where + finding.why
            if finding.event is not Event.CONFIRMED:
                self._cause = finding.event.name.lower()
        elif self.state.stage is not Stage.USING:
            self._why = finding.why
        await self._tell()

    async def _tell(self) -> None:
        state, meets = self.state, stance(self.state)
        primary = Inet(*state.place) if state.place and meets is not Stance.CUT else None
        memory = None
        if state.place is not None:
            data = json.dumps({"mark": state.mark, "marks": sorted(state.marks)[-20:]})
            memory = Memory(followed(self._route), Inet(*state.place), data)
        lead = Lead(primary, meets, self._cause, self._why, memory)
        if lead == self._told:
            return
        try:
            await self._report(lead)
        except AmbassadorError:  # it was said; all is as before, and tried again soon
            return
        self._told = lead


_NEVER = object()


def _remembered(memory: Memory | None) -> State:
    if memory is None:
        return State()
    try:
        found = json.loads(memory.data)
        place = memory.primary.host, memory.primary.port
        marks = frozenset(map(str, found["marks"]))
        return State(place=place, mark=str(found["mark"]), marks=marks)
    except (ValueError, LookupError, TypeError):
        return State()
