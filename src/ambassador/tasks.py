"""The one way to start a task: named, kept alive, and never silent about a crash."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

__all__ = ["Coalesced", "Slice", "Sliced", "spawn"]

_LONGEST = 0.002  # seconds
_T = TypeVar("_T")
_local = threading.local()
_running: set[asyncio.Task[Any]] = set()
_log = logging.getLogger("ambassador")


class Slice:
    """Long work on the loop in slices: after `longest` seconds all other work gets a turn. All
    slices of a loop together are one slice for each turn of the loop, however many tasks do such
    work.

    By the system's clock: uvloop reads its own once a turn.
    """

    def __init__(self, longest: float = _LONGEST) -> None:
        self._longest = longest
        self._turns = _turns()
        self._turns.begin(longest)

    async def end(self) -> None:
        """Call this after each item: it yields to other work when the slice is over."""
        turns = self._turns
        if time.monotonic() > turns.over:
            await turns.next()
            turns.over = time.monotonic() + self._longest


class _Turns:
    """Which task works: one goes on in each turn of the loop, the task that has waited longest
    first.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.over = 0.0  # when the slice of this turn ends
        self._begun = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    def begin(self, longest: float) -> None:
        """A task works in this turn: it is the first, or it shares the slice."""
        if not self._begun:
            self._begun = True
            self.over = time.monotonic() + longest
            self.loop.call_soon(self._end)

    async def next(self) -> None:
        """Return when it is the caller's turn."""
        self._waiting.append(mine := self.loop.create_future())
        self.begin(0.0)
        await mine

    def _end(self) -> None:
        self._begun = False
        while self._waiting:
            it = self._waiting.popleft()
            if not it.done():  # else it was cancelled
                it.set_result(None)
                self._begun = True
                self.loop.call_soon(self._end)
                break


def _turns() -> _Turns:
    """Return the turns of the running loop; a thread has one loop at a time."""
    loop = asyncio.get_running_loop()
    turns: _Turns | None = getattr(_local, "turns", None)
    if turns is None or turns.loop is not loop:
        turns = _local.turns = _Turns(loop)
    return turns


def spawn(coroutine: Coroutine[Any, Any, _T], name: str) -> asyncio.Task[_T]:
    """Run `coroutine` as a task called `name` on the running loop and return the task.

    The loop holds tasks only weakly (asyncio documentation, create_task), so a reference is kept
    here until the task ends. If it ends with an exception, that is logged, awaited or not.
    """
    task = asyncio.get_running_loop().create_task(coroutine, name=name)
    _running.add(task)
    task.add_done_callback(_ended)
    return task


class Coalesced:
    """Work that is requested more often than it can be done: it runs once at a time, and once more
    after that where it was requested meanwhile. `work` is called by the first `ask`; all calls of
    `ask` while it runs lead to one more run.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, object]], name: str) -> None:
        self._work = work
        self._name = name
        self._running = False
        self._wanted = False

    def ask(self) -> None:
        """Have the work done, now or when the present run has ended."""
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


class Sliced(Generic[_T]):
    """Calls `work` for items, one after the other, in slices (see Slice): thousands that arrive at
    one moment do not delay other work.
    """

    def __init__(self, work: Callable[[_T], object], name: str) -> None:
        self._work = work
        self._waiting: deque[_T] = deque()
        self._all = Coalesced(self._work_off, name)

    def add(self, item: _T) -> None:
        """Have `work` called with `item`, after the items that wait."""
        self._waiting.append(item)
        self._all.ask()

    def clear(self) -> None:
        """Drop the items that wait."""
        self._waiting.clear()

    async def _work_off(self) -> None:
        piece = Slice()
        while self._waiting:
            item = self._waiting.popleft()
            try:
                self._work(item)
            except Exception:
                _log.exception("work at %r failed", item)
            await piece.end()


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and task.exception() is not None:
        _log.error("task %s failed", task.get_name(), exc_info=task.exception())
