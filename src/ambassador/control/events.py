"""The last things that happened, numbered, for every reader that follows them.

What is logged from `info` up is also put here, whatever the level of the log. The ring drops the
oldest events; a reader that sees a gap in the numbers was too slow.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ambassador import log

__all__ = ["Event", "Events"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `number` counts from 1, `time` is in seconds since 1970, the rest is as in the
    log.
    """

    number: int
    time: float
    level: str  # info, warning, error
    event: str
    message: str
    fields: Mapping[str, Any]


class Events:
    """A ring of `capacity` events. Has to be made on the loop of its readers; `close` ends it."""

    def __init__(self, capacity: int = 1000) -> None:
        self._loop = asyncio.get_running_loop()
        self._ring: deque[Event] = deque(maxlen=capacity)
        self._number = 0
        self._more = asyncio.Event()
        self._closed = False
        self._unfollow: Callable[[], None] = log.follow(self._heard)

    @property
    def last(self) -> int:
        """The number of the newest event; 0 while there is none."""
        return self._number

    def since(self, number: int) -> tuple[Event, ...]:
        """Return the events after `number` that the ring still has, the oldest first."""
        known = len(self._ring)
        return tuple(islice(self._ring, max(0, known - max(0, self._number - number)), None))

    async def wait(self, number: int) -> tuple[Event, ...]:
        """Return the events after `number`, as soon as there is one; nothing once the ring is
        closed.
        """
        while not self._closed and self._number <= number:
            self._more.clear()
            await self._more.wait()
        return self.since(number)

    def close(self) -> None:
        """Take no more events, and end the waiting of readers."""
        self._unfollow()
        self._closed = True
        self._more.set()

    def _heard(self, level: int, name: str, message: str, fields: Mapping[str, Any]) -> None:
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:  # a thread without a loop
            here = False
        if here:
            self._add(level, name, message, fields, time.time())
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._add, level, name, message, fields, time.time())

    def _add(
        self, level: int, name: str, message: str, fields: Mapping[str, Any], when: float
    ) -> None:
        self._number += 1
        word = logging.getLevelName(level).lower()
        self._ring.append(Event(self._number, when, word, name, message, dict(fields)))
        self._more.set()
