"""Many places (addresses), each asked the same question again and again on its own connection."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ambassador.core.follow.claims import Place
from ambassador.follow.channel import Denied, Silence
from ambassador.tasks import spawn

__all__ = ["Asker", "Asking"]

_LIMIT = 0.5  # seconds for one answer


class Asker(ABC):
    """Asks one place on a connection of its own."""

    @abstractmethod
    async def fact(self, limit: float) -> Any:
        """Return what the place says of itself. Raises Silence."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""


class Asking:
    """Asks the places that `among` names. `asker` makes the Asker of a place; its second argument
    is called when the place closes the connection. `news` is called when an answer has changed;
    `pause` returns the seconds until the next question.
    """

    def __init__(
        self,
        asker: Callable[[Place, Callable[[], None]], Asker],
        news: Callable[[], None],
        pause: Callable[[], float],
    ) -> None:
        self.facts: dict[Place, Any] = {}  # the last answer of each place; None: it is silent
        self.words: dict[Place, str] = {}  # what is wrong with each place; empty: nothing
        self._asker, self._news, self._pause = asker, news, pause
        self._silent: dict[Place, int] = {}
        self._refused: set[Place] = set()
        self._asking: dict[Place, asyncio.Task[None]] = {}
        self._wake: dict[Place, asyncio.Event] = {}

    @property
    def asked(self) -> tuple[int, int]:
        """How many places answer, and how many there are."""
        return sum(fact is not None for fact in self.facts.values()), len(self._asking)

    def gone(self, place: Place, fall: int) -> bool:
        """Return whether `place` refuses connections, or was silent `fall` times in a row."""
        return place in self._refused or self._silent.get(place, 0) >= fall

    def among(self, wanted: set[Place], *, whole: bool = True) -> None:
        """Ask `wanted`; where these are the `whole` set of places, stop asking all others."""
        for place in (self._asking.keys() - wanted) if whole else ():
            self._asking.pop(place).cancel()
            self._refused.discard(place)
            for known in (self.facts, self._silent, self.words, self._wake):
                known.pop(place, None)
            self._news()
        for place in wanted - self._asking.keys():
            self._wake[place] = asyncio.Event()
            self._asking[place] = spawn(self._ask_on(place), f"ask {place[0]}:{place[1]}")

    def wake(self) -> None:
        """Ask all places now."""
        for wake in self._wake.values():
            wake.set()

    def close(self) -> None:
        """Stop asking."""
        for task in self._asking.values():
            task.cancel()

    async def _ask_on(self, place: Place) -> None:
        wake = self._wake[place]
        asker = self._asker(place, wake.set)
        try:
            while True:
                wake.clear()
                await self._ask(place, asker)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await wake.wait()
        finally:
            asker.close()

    async def _ask(self, place: Place, asker: Asker) -> None:
        try:
            fact, word = await asker.fact(_LIMIT), ""
        except Denied as denied:  # it answers, so its role is not lost
            fact, word = self.facts.get(place), str(denied)
        except Silence as silence:
            fact, word = None, str(silence)
            self._refused.add(place) if silence.refused else self._refused.discard(place)
        if fact is not None:
            self._refused.discard(place)
        news = fact != self.facts.get(place, _NEVER) or fact is None
        self._silent[place] = self._silent.get(place, 0) + 1 if fact is None else 0
        self.facts[place], self.words[place] = fact, word
        if news:
            self._news()


_NEVER = object()
