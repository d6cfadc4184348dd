"""The one way to start a task: named, kept alive, and never silent about a crash."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["Coalesced", "Slice", "spawn"]

_LONGEST = 0.002  # seconds
_T = TypeVar("_T")
_running: set[asyncio.Task[Any]] = set()
_log = logging.getLogger("ambassador")


class Slice:
    """Long work on the loop in slices: after `longest` seconds everything else has its turn.

    By the system's clock: uvloop reads its own once a turn.
    """

    def __init__(self, longest: float = _LONGEST) -> None:
        self._longest = longest
        self._over = time.monotonic() + longest

    async def end(self) -> None:
        """Call it after each item: give way when the slice is over."""
        if time.monotonic() > self._over:
            await asyncio.sleep(0)
            self._over = time.monotonic() + self._longest


def spawn(coroutine: Coroutine[Any, Any, _T], name: str) -> asyncio.Task[_T]:
    """Run `coroutine` as a task called `name` on the running loop and return the task.

    The loop holds tasks only weakly (asyncio documentation, create_task), so a reference is
    kept here until it ends; an exception nobody awaited is logged when it happens.
    """
    task = asyncio.get_running_loop().create_task(coroutine, name=name)
    _running.add(task)
    task.add_done_callback(_ended)
    return task


class Coalesced:
    """Work that is asked for more often than it can be done: one under way and one wanted is all
    there is to know. `work` is called by the first `ask`; every `ask` while it runs makes it run
    once more, and no oftener.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, object]], name: str) -> None:
        self._work = work
        self._name = name
        self._running = False
        self._wanted = False

    def ask(self) -> None:
        """Have the work done, now or when what is under way has ended."""
        self._wanted = True
        if not self._running:
            self._running = True
            spawn(self._run(), self._name)

    async def _run(self) -> None:
        try:
            while self._wanted:
                self._wanted = False
                try:
                    await self._work()
                except Exception:
                    _log.exception("%s failed", self._name)
        finally:
            self._running = False


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and task.exception() is not None:
        _log.error("task %s failed", task.get_name(), exc_info=task.exception())
