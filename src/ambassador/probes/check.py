"""One endpoint asked again and again: a timer, and while it is asked a connection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from ambassador.core.rhythm import missed, next_turn
from ambassador.errors import ResolveError
from ambassador.model import Endpoint, Route
from ambassador.ports import Probe, Resolver
from ambassador.probes.conversation import Conversations, Place, Question
from ambassador.probes.exchange import (
    NoAnswerError,
    ask,
    header_of,
    host_of,
    in_clear,
    known_places,
    places,
)
from ambassador.probes.heard import Heard
from ambassador.tasks import spawn
from ambassador.tls.keyring import Keyring

__all__ = ["LIMIT", "Check"]

LIMIT = 3.0  # seconds for one answer, where the interval is not shorter


class Check:
    """Asks from `begin` to `close`. An endpoint whose name has several addresses works while one of
    them answers, since sessions try them all.
    """

    def __init__(
        self,
        conversations: Conversations,
        resolver: Resolver,
        keyring: Keyring | None,
        heard: Heard,
        asked: tuple[Route, Endpoint, Probe],
    ) -> None:
        self._conversations, self._resolver, self._keyring = conversations, resolver, keyring
        self._heard = heard
        self._route, self._endpoint, self._probe = asked
        self._host = host_of(self._endpoint)
        self._loop = conversations.loop
        self._limit = min(self._route.interval, LIMIT)
        self._phase = self._when = 0.0
        self._hosts: Sequence[str] = ()  # that it had last, and where that is
        self._places: Sequence[Place] = ()
        self._left: Sequence[Place] = ()  # that are still to be asked in this turn
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def begin(self, wait: float | None) -> None:
        """Ask at once, and then at times that chance decides; or first after `wait` seconds, and
        then at the same place of each interval.
        """
        now = self._loop.time()
        if wait is None:
            self._phase = now + random.uniform(0, self._route.interval)
            self._wait_until(now)
        else:
            self._phase = now + wait
            self._wait_until(self._phase)

    def close(self) -> None:
        """Ask no longer; what is being asked is told nobody."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()

    def _wait_until(self, due: float) -> None:
        if not self._closed:
            self._when = due
            self._conversations.turns.add(due, self._begin_turn)

    def _end_turn(self) -> None:
        self._wait_until(next_turn(self._loop.time(), self._phase, self._route.interval))

    def _begin_turn(self) -> None:
        if self._closed:
            return
        if missed(self._loop.time(), self._when, self._route.interval):
            self._end_turn()
            return
        if self._known():
            self._ask(self._places)
        else:
            self._task = spawn(self._find(), "addresses of an endpoint")

    def _known(self) -> bool:
        """Tell whether there are places to ask, and nobody has to be asked where they are."""
        if self._hosts == (self._host,):  # an address, or a path: it stays where it is
            return True
        hosts = self._resolver.known(self._host) if self._host else ("",)
        if hosts != self._hosts:
            self._hosts = hosts
            self._places = known_places(self._endpoint, self._resolver, self._route.health)
        return bool(self._places)

    async def _find(self) -> None:
        try:
            async with asyncio.timeout(LIMIT):
                found = await places(self._endpoint, self._resolver, self._route.health)
        except ResolveError as error:
            self._hear(str(error))
        except TimeoutError:
            self._hear("its name is not resolved in time")
        else:
            self._ask(found)

    def _ask(self, found: Sequence[Place]) -> None:
        place, *self._left = found
        if in_clear(self._endpoint, place):
            header = header_of(self._endpoint, place)
            asked = Question(place, self._probe, self._host, self._limit, header)
            self._conversations.begin(asked, self._answered)
        else:
            self._task = spawn(self._ask_otherwise(place), "question to an endpoint")

    async def _ask_otherwise(self, place: Place) -> None:
        try:
            await ask(self._probe, place, self._endpoint, self._limit, self._keyring)
        except NoAnswerError as error:
            self._answered(str(error))
        else:
            self._answered("")

    def _answered(self, why: str) -> None:
        if self._closed:
            return
        if why and self._left:
            self._ask(self._left)
            return
        if why:
            self._resolver.doubt(self._host)
        self._hear(why)

    def _hear(self, why: str) -> None:
        if self._heard.changes(why):
            self._task = spawn(self._tell(why), "health of an endpoint")
        else:
            self._end_turn()

    async def _tell(self, why: str) -> None:
        await self._heard.tell(why)
        self._end_turn()
