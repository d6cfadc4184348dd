"""Follows the primary of a set that sentinels watch over: `core.follow.sentinel` decides."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

from ambassador.core.follow.lead import Lead
from ambassador.core.follow.memory import Memory, followed
from ambassador.core.follow.sentinel import (
    PATIENCE,
    Event,
    Named,
    Place,
    Said,
    State,
    awaited,
    frozen,
    named,
    stance,
    step,
)
from ambassador.core.follow.stage import Stage, Stance
from ambassador.core.located import at
from ambassador.follow.base import Follower, Report, Telling, allowed, terms
from ambassador.follow.sentinel import Sentinel
from ambassador.follow.watch import Role, Watch, Word
from ambassador.model import Inet, Promote, Route
from ambassador.ports import Resolver
from ambassador.spec import format_address
from ambassador.tasks import spawn

__all__ = ["SentinelFollower"]

_CALM = 0.5  # seconds between two questions while all is well
_HASTE = 0.02  # while there is no primary: to the member that is named, or selected
_HASTE_ASK = 0.05  # while there is no primary: to the sentinels
_ALONE = 2.0  # seconds without a majority after which the remembered primary counts
_LAG = 3.0  # seconds; sentinels disagree for 0.2 s around a failover, 0.7 s after a partition
_UNREACHABLE = 1.0  # seconds after which a named member that does not answer is reported
_UNWELL = frozenset({Role.REPLICA, Role.REFUSED, Role.SILENT})


class SentinelFollower(Follower):
    """Leads `route`; `report` is awaited for each lead and returns when it is in force. `memory` is
    that of the last lead, if there was one.
    """

    def __init__(
        self, route: Route, resolver: Resolver, report: Report, memory: Memory | None
    ) -> None:
        assert route.follow is not None
        self.state = _remembered(memory)
        self._why, self._cause = "no majority of sentinels has answered yet", "start"
        self._route, self._resolver, self._telling = route, resolver, Telling(report)
        self._name, self._of = route.follow.name, followed(route)
        self._news = asyncio.Event()
        self._words: dict[Place, Word] = {}
        self._silent = 0  # how often in a row the member in use was silent
        self._began = time.monotonic()
        self._excluded = ""
        self._watches: dict[Place, Watch] = {}
        self._events: list[tuple[Event, Place | None]] = []
        asked = terms(route.sentinel_user, route.sentinel_password_file, route.health_tls)
        self._terms = terms(route.user, route.password_file, route.health_tls)
        self._sentinels = [
            Sentinel(
                member, self._name, asked, resolver, heard=self._news.set, event=self._published
            )
            for member in route.follow.members
        ]
        self._task = spawn(self._run(), f"follow {route.name}")

    def close(self) -> None:
        """Stop following."""
        self._task.cancel()
        for sentinel in self._sentinels:
            sentinel.close()
        for watch in self._watches.values():
            watch.close()

    @property
    def asked(self) -> tuple[int, int]:
        """How many sentinels answer, and how many there are."""
        said = self._said()
        return sum(one is not None for one in said.values()), len(said)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, and what helps."""
        found = [
            f"sentinel {format_address(one.member)}: {one.problem}"
            for one in self._sentinels
            if one.asked and one.problem
        ]
        answering, number = self.asked
        if answering <= number // 2:
            found.append(f"{answering} of {number} sentinels answer: no switch is made")
        if number < len(self._sentinels):
            found.append("sentinels that have one address count as one")
        if self._excluded:
            found.append(self._excluded)
        found += [
            f"{format_address(Inet(*place))}: {word.why}"
            for place, word in self._words.items()
            if word.why
        ]
        aim, waited = self.state.aim, time.monotonic() - self.state.since
        if self.state.stage is Stage.SWITCHING and aim and waited > _UNREACHABLE:
            where = format_address(Inet(*aim))
            found.append(
                f"the sentinels name {where}, which does not say here that it is the primary; if "
                "it cannot be reached from here, have it announce an address that can: "
                "replica-announce-ip of the servers, sentinel announce-ip"
            )
        return tuple(found)

    # What arrives.

    def _published(self, channel: str, words: list[str]) -> None:
        """Take an event only as a reason to ask all sentinels: it may be minutes old."""
        if self._name not in words:
            return
        for sentinel in self._sentinels:
            sentinel.ask_now()
        state = self.state
        if channel == "+selected-slave" and len(words) >= 8:
            # slave NAME IP PORT @ MASTER IP PORT
            selected, of = (self._place(*words[i : i + 2]) for i in (2, 6))
            if selected is not None and of == state.place and self._latest() <= state.epoch:
                self._note(Event.SELECTED, selected)
        elif channel.startswith("-failover-abort") and state.stage is Stage.FROZEN:
            self._note(Event.SPARED, None)

    def _place(self, host: str, port: str) -> Place | None:
        known = self._resolver.known(host)
        return at(known[0], int(port)) if known and port.isdigit() else None

    def _note(self, event: Event, place: Place | None) -> None:
        self._events.append((event, place))
        self._news.set()

    def _latest(self) -> int:
        epochs = [one.said.epoch for one in self._sentinels if one.said and one.said.epoch]
        return max(epochs, default=-1)

    def _heard(self, place: Place, word: Word) -> None:
        state = self.state
        self._words[place] = word
        if place == state.aim and word.role is Role.PRIMARY:
            if state.stage is Stage.SWITCHING:
                self._note(Event.CONFIRMED, place)
            elif state.stage is Stage.FROZEN and self._route.promote is Promote.FAST:
                self._note(Event.PROMOTED, place)
        elif place == state.place:
            self._silent = self._silent + 1 if word.role is Role.SILENT else 0
            self._judge(word.role)
            if word.role in _UNWELL:
                self._news.set()  # a majority may name another now

    def _judge(self, role: Role) -> None:
        """Note what the answer of the member in use means."""
        state = self.state
        if role is Role.PRIMARY:
            over = time.monotonic() - state.since > PATIENCE
            if state.stage is Stage.FROZEN and over and self._latest() <= state.epoch:
                self._note(Event.SPARED, None)
            elif state.stage in {Stage.WAITING, Stage.DEMOTED} or self._is_left_alone():
                self._note(Event.SPEAKS, None)
        elif role is Role.REPLICA:
            if state.stage in {Stage.USING, Stage.WAITING}:
                self._note(Event.DEMOTED, None)
        elif state.stage is Stage.USING and (
            role in {Role.REFUSED, Role.LOADING} or self._silent >= self._route.fall
        ):
            self._note(Event.SILENT, None)

    def _is_left_alone(self) -> bool:
        """Return whether, after a start, no majority of sentinels answers: then the remembered
        primary counts, because no majority can name another.
        """
        if self.state.stage is not Stage.NONE or not all(one.asked for one in self._sentinels):
            return False
        answering, number = self.asked
        return answering <= number // 2 and time.monotonic() - self._began > _ALONE

    # What is decided.

    async def _run(self) -> None:
        while True:
            self._watch()
            await self._tell()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CALM):
                    await self._news.wait()
            self._news.clear()
            while self._events:
                await self._go(*self._events.pop(0))
            await self._ask_who_is_named()

    async def _ask_who_is_named(self) -> None:
        state = self.state
        found = named(state, self._said(), unwell=self._is_unwell())
        if found is None:
            self._excluded = ""
        elif await allowed(self._route, found.place, self._resolver):
            self._excluded = ""
            same = found.place == state.place and state.stage is not Stage.NONE
            await self._go(Event.RENAMED if same else Event.NAMED, found)
        else:
            where = format_address(Inet(*found.place))
            self._excluded = f"the sentinels name {where}, which is not an endpoint of the route"

    def _is_unwell(self) -> bool:
        """Return whether the member in use has not been the primary for longer than sentinels may
        disagree.
        """
        state, now = self.state, time.monotonic()
        word = self._words.get(state.place) if state.place else None
        bad = word is not None and word.role in _UNWELL
        return bad and state.stage is not Stage.USING and now - state.since > _LAG

    def _said(self) -> dict[str, Said | None]:
        """Return the answer of each sentinel; sentinels with the same address count as one."""
        return {str(one.place or one.member): one.said for one in self._sentinels}

    async def _go(self, event: Event, news: Named | Place | None) -> None:
        before, after = self.state, step(self.state, event, time.monotonic(), news)
        if after == before:
            return
        self.state = after
        if after.stage is not before.stage or after.aim != before.aim:
            self._explain(event, before, news)
        if before.place != after.place:
            self._silent = 0
        self._watch()
        await self._tell()

    def _explain(self, event: Event, before: State, news: Named | Place | None) -> None:
        word = self._words.get(before.place) if before.place else None
        said = word.why if word else ""
        match event:
            case Event.NAMED | Event.RENAMED if isinstance(news, Named):
                self._cause, self._why = "switch", self._evidence(before, news)
            case Event.CONFIRMED:
                self._why += ", ROLE master"
            case Event.SELECTED if isinstance(news, tuple):
                where = format_address(Inet(*news))
                self._cause, self._why = "freeze", f"{where} was selected to take over"
            case Event.PROMOTED:
                self._cause, self._why = "fast", f"{self._why}, ROLE master"
            case Event.SPARED:
                self._cause, self._why = "spared", "the failover was given up, ROLE master"
            case Event.SPEAKS:
                self._cause, self._why = "back", "it answers again, ROLE master"
            case Event.DEMOTED:
                self._cause, self._why = "demoted", said
            case _:
                self._cause, self._why = "silent", said

    def _evidence(self, before: State, news: Named) -> str:
        where, number = format_address(Inet(*news.place)), len(self._said())
        than = f" > {before.epoch}" if -1 < before.epoch < news.epoch else ""
        epoch = f"epoch {news.epoch}{than}" if news.epoch >= 0 else "an epoch we may not ask for"
        text = f"{epoch} named {where} at {news.votes} of {number} sentinels"
        return f"{text}; the set was created again" if news.anew else text

    def _watch(self) -> None:
        """Watch the members that matter now, each at the rate it needs."""
        state = self.state
        calm = state.stage is Stage.USING
        for sentinel in self._sentinels:
            sentinel.pause = _CALM if calm else _HASTE_ASK
        wanted = {place for place in (state.place, state.aim) if place is not None}
        for place in self._watches.keys() - wanted:
            self._watches.pop(place).close()
            self._words.pop(place, None)
        pause = _CALM if calm else _HASTE
        for place in wanted:
            watch = self._watches.get(place)
            if watch is None:
                self._watches[place] = Watch(place, self._terms, self._heard, pause)
            elif watch.pause != pause:
                watch.pause = pause
                watch.ask_now()

    def _lead(self) -> Lead:
        state, meets = self.state, stance(self.state)
        primary = Inet(*state.place) if state.place and meets is not Stance.CUT else None
        memory = None
        if state.place is not None:
            data: dict[str, object] = {"epoch": state.epoch}
            if (aim := awaited(state)) is not None:
                data["awaited"] = aim
            memory = Memory(self._of, Inet(*state.place), json.dumps(data))
        return Lead(primary, meets, self._cause, self._why, memory)

    async def _tell(self) -> None:
        await self._telling.tell(self._lead())


def _remembered(memory: Memory | None) -> State:
    if memory is None:
        return State()
    place = memory.primary.host, memory.primary.port
    try:
        found = json.loads(memory.data)
        state = State(place=place, epoch=int(found["epoch"]))
        if aim := found.get("awaited"):
            return frozen(state, (str(aim[0]), int(aim[1])), time.monotonic())
        return state
    except (ValueError, LookupError, TypeError):
        return State()
