"""The common part of followers without sentinels: findings go through the table of
`core.follow.claims`, and the result is reported and remembered.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from abc import abstractmethod
from collections.abc import Mapping

from ambassador.core.follow.claims import Event, Finding, State, stance, step
from ambassador.core.follow.lead import Lead
from ambassador.core.follow.memory import Memory, followed
from ambassador.core.follow.stage import Stage, Stance
from ambassador.core.located import at
from ambassador.errors import ResolveError
from ambassador.follow.base import Follower, Report, Telling
from ambassador.model import Inet, Route
from ambassador.ports import Resolver
from ambassador.spec import format_address
from ambassador.tasks import spawn

__all__ = ["ClaimantsFollower"]

_POLL = 0.25  # seconds between two questions, where `interval` is not shorter
_HASTE = 0.05  # while there is no primary
_FIRST = 2.0  # seconds after a start within which all members should have answered
_NAMES = 1.0  # seconds between two looks at the addresses of the members


class ClaimantsFollower(Follower):
    """Leads `route`; see base.Follower. A subclass asks the members, and says what the answers
    mean.
    """

    def __init__(
        self, route: Route, resolver: Resolver, report: Report, memory: Memory | None
    ) -> None:
        self._route, self._resolver = route, resolver
        self._telling = Telling(report)
        self.state = _remembered(memory)
        self._why, self._cause = "no member has answered yet", "start"
        self._news = asyncio.Event()
        self._began = time.monotonic()
        self._tasks = [
            spawn(self._find(), f"members of {route.listen}"),
            spawn(self._run(), f"follow {route.listen}"),
        ]

    def close(self) -> None:
        """Stop following."""
        for task in self._tasks:
            task.cancel()

    @property
    @abstractmethod
    def asked(self) -> tuple[int, int]:
        """How many members answer, and how many there are."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong."""
        return (self._why,) if self.state.stage is not Stage.USING else ()

    @abstractmethod
    async def _look_where(self) -> bool:
        """Look up the addresses of the members, and have them asked; return whether any is
        known.
        """

    @abstractmethod
    def _look(self) -> Finding | None:
        """Return what was found; None where it is too early to say."""

    def _kept(self) -> Mapping[str, object]:
        """Return what has to be remembered in addition to the state."""
        return {}

    def _pause(self) -> float:
        """Return the seconds between two questions."""
        calm = self.state.stage is Stage.USING
        return min(self._route.interval, _POLL) if calm else _HASTE

    async def _places(self, addresses: list[Inet]) -> tuple[set[tuple[str, int]], bool]:
        """Return every address of `addresses`, and whether all of them have one."""
        found: set[tuple[str, int]] = set()
        whole = True
        for address in addresses:
            try:
                hosts = await self._resolver.resolve(address.host)
            except ResolveError:
                whole = False
            else:
                found |= {at(host, address.port) for host in hosts}
        return found, whole

    async def _find(self) -> None:
        while True:
            known = await self._look_where()
            await asyncio.sleep(_NAMES if known else _POLL)

    async def _run(self) -> None:
        while True:
            await self._decide()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(self._route.interval, _POLL)):
                    await self._news.wait()
            self._news.clear()

    async def _decide(self) -> None:
        if self.state.stage is Stage.NONE and not self._complete():
            await self._tell()
            return
        if (finding := self._look()) is not None:
            await self._go(finding)
        if self.state.stage is Stage.SWITCHING:  # sessions to the previous primary have ended
            await self._go(Finding(Event.CONFIRMED, self._why))

    def _complete(self) -> bool:
        """Return whether every member has answered, or had the time to."""
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
            marks = {"mark": state.mark, "marks": sorted(state.marks)[-20:]}
            data = json.dumps({**marks, **self._kept()})
            memory = Memory(followed(self._route), Inet(*state.place), data)
        await self._telling.tell(Lead(primary, meets, self._cause, self._why, memory))


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
