"""Repeated probes of one endpoint: a timer, and a connection during each probe.

Each address of its name is probed for itself, at its own time within the interval, and has its own
health.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

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
    places_at,
)
from ambassador.probes.heard import Heard
from ambassador.tasks import spawn
from ambassador.tls.keyring import Keyring

__all__ = ["LIMIT", "Check"]

LIMIT = 3.0  # seconds for one answer, where the interval is not shorter


class Check:
    """Probes the endpoint from `begin` to `close`."""

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
        self._hosts: Sequence[str] = ()  # its addresses at the last look, and where to probe
        self._places: dict[str, Sequence[Place]] = {}
        self._next = 0  # index among several addresses
        self._asked: set[str] = set()  # addresses that were probed and have not answered
        self._failing: set[str] = set()  # addresses whose last answer was bad, or missing
        self._tasks: set[asyncio.Task[None]] = set()
        self._telling = self._closed = False

    def begin(self, wait: float | None) -> None:
        """Probe at once, and then at one time of each interval, which is chosen at random once; or
        first after `wait` seconds, and then at that time of each interval.
        """
        now = self._loop.time()
        if wait is None:
            self._phase = now + random.uniform(0, self._route.interval)
            self._wait_until(now)
        else:
            self._phase = now + wait
            self._wait_until(self._phase)

    def close(self) -> None:
        """Stop probing; the result of a probe under way is not reported."""
        self._closed = True
        for task in self._tasks:
            task.cancel()

    @property
    def _pause(self) -> float:
        """Seconds between two turns: each turn is for one of the addresses."""
        return self._route.interval / max(1, len(self._hosts))

    def _wait_until(self, due: float) -> None:
        if not self._closed:
            self._when = due
            self._conversations.turns.add(due, self._begin_turn)

    def _end_turn(self) -> None:
        self._wait_until(next_turn(self._loop.time(), self._phase, self._pause))

    def _begin_turn(self) -> None:
        if self._closed:
            return
        if missed(self._loop.time(), self._when, self._pause):
            self._end_turn()
            return
        before = self._hosts
        if not self._known():
            self._spawn(self._find(), "addresses of an endpoint")
        elif len(self._hosts) == 1:
            self._ask(self._hosts[0])
        else:
            self._ask_some(first=not before)

    def _ask_some(self, *, first: bool) -> None:
        """Probe the next of several addresses, or each of them at `first`."""
        for _ in self._hosts if first else (0,):
            self._next = (self._next + 1) % len(self._hosts)
            address = self._hosts[self._next]
            if address not in self._asked:  # else its time is not over
                self._ask(address)
        self._end_turn()

    def _known(self) -> bool:
        """Tell whether there is an address to probe without a question to DNS."""
        if self._hosts == (self._host,):  # an IP address, or a path: it does not change
            return True
        hosts = tuple(self._resolver.known(self._host)) if self._host else ("",)
        if hosts:
            self._be_at(hosts)
        return bool(hosts)

    def _be_at(self, hosts: Sequence[str]) -> None:
        hosts = tuple(dict.fromkeys(hosts))
        if hosts != self._hosts:
            self._hosts = hosts
            self._places = {
                one: places_at(self._endpoint, one, self._route.health) for one in hosts
            }
            self._heard.among(hosts)

    async def _find(self) -> None:
        try:
            async with asyncio.timeout(LIMIT):
                found = await self._resolver.resolve(self._host)
        except ResolveError as error:
            self._hear(str(error), None)
        except TimeoutError:
            self._hear("its name is not resolved in time", None)
        else:
            before = self._hosts
            self._be_at(found)
            if len(self._hosts) == 1:
                self._ask(self._hosts[0])
            else:
                self._ask_some(first=not before)

    def _ask(self, address: str) -> None:
        self._asked.add(address)
        self._ask_at(address, self._places[address])

    def _ask_at(self, address: str, places: Sequence[Place]) -> None:
        """Probe at the first of `places` (two ports for a range), and where that fails at the other
        one.
        """
        place, *left = places
        answered = partial(self._answered, address, left)
        if in_clear(self._endpoint, place):
            header = header_of(self._endpoint, place)
            asked = Question(place, self._probe, self._host, self._limit, header)
            self._conversations.begin(asked, answered)
        else:
            work = self._ask_otherwise(address, place, left)
            self._spawn(work, "question to an endpoint")

    async def _ask_otherwise(self, address: str, place: Place, left: Sequence[Place]) -> None:
        try:
            await ask(self._probe, place, self._endpoint, self._limit, self._keyring)
        except NoAnswerError as error:
            self._answered(address, left, str(error))
        else:
            self._answered(address, left, "")

    def _answered(self, address: str, left: Sequence[Place], why: str) -> None:
        if self._closed:
            return
        if why and left:
            self._ask_at(address, left)
            return
        self._asked.discard(address)
        if why:
            self._failing.add(address)
            if self._failing.issuperset(self._hosts):  # it may have other addresses by now
                self._resolver.doubt(self._host)
        elif self._failing:
            self._failing.discard(address)
        if address in self._hosts:  # else the name leads elsewhere by now
            self._hear(why, address)
        elif len(self._hosts) == 1:
            self._end_turn()

    def _hear(self, why: str, address: str | None) -> None:
        """Take an answer. After an answer for the only address, or for a name without any, the turn
        ends.
        """
        alone = address is None or len(self._hosts) == 1
        if self._heard.changes(why, address) and not self._telling:
            self._telling = True
            self._spawn(self._tell(why, alone=alone), "health of an endpoint")
        elif alone:
            self._end_turn()

    async def _tell(self, why: str, *, alone: bool) -> None:
        try:
            await self._heard.tell(why)
        finally:
            self._telling = False
        if alone:
            self._end_turn()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = spawn(work, name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
