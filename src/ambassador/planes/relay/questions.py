"""What a worker process has been asked: it answers in the order of the questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

__all__ = ["Questions", "Then"]

# What is called, or set, with the answer.
Then: TypeAlias = Callable[[], None] | asyncio.Future[None]


class _Question(NamedTuple):
    asked: float
    then: Then
    numbers: bool


class Questions:
    """The questions of one process that are not answered yet."""

    def __init__(self) -> None:
        self._open: list[_Question] = []

    def add(self, now: float, then: Then, *, numbers: bool = False) -> None:
        """Note a question that is asked at `now`; `numbers`: it asks for those of all sessions."""
        self._open.append(_Question(now, then, numbers))

    def answered(self) -> None:
        """Note that the process has answered the oldest question."""
        if self._open:
            then = self._open.pop(0).then
            if isinstance(then, asyncio.Future):
                _set(then)
            else:
                then()

    def gone(self) -> None:
        """Note that the process has ended: who awaits a future goes on, and nothing is called."""
        questions, self._open = self._open, []
        for one in questions:
            if isinstance(one.then, asyncio.Future):
                _set(one.then)

    def wait(self, now: float) -> float:
        """Return for how many seconds the oldest question has not been answered; 0: there is
        none.
        """
        return now - self._open[0].asked if self._open else 0.0

    @property
    def owe_numbers(self) -> bool:
        """Whether a question for numbers is not answered."""
        return any(one.numbers for one in self._open)


def _set(told: asyncio.Future[None]) -> None:
    if not told.done():  # else the task that waited was cancelled
        told.set_result(None)
