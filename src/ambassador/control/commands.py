"""Commands, one after another. The code that performs them is imported with the first one: 15 ms
and 1 MB that a start saves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ambassador import log
from ambassador.control.owed import Owed
from ambassador.control.reloads import Reloads, told
from ambassador.control.telling import route_of
from ambassador.core.phase import Phase
from ambassador.errors import AmbassadorError, RunError, TimedOutError
from ambassador.tasks import spawn

if TYPE_CHECKING:
    from ambassador.control.execute import Executor
    from ambassador.control.record import Record
    from ambassador.control.snapshots import SnapshotReader
    from ambassador.core.commands import Command, Result
    from ambassador.core.ending import DrainUntil, SlowCut
    from ambassador.core.results import Done

__all__ = ["Commands", "executor"]

# A command waits this long for earlier ones; a move has its own `timeout`.
_PATIENCE = 30.0


def executor(*parts: Any, **more: Any) -> Executor:
    """Return an executor of these parts."""
    from ambassador.control.execute import Executor  # noqa: PLC0415 (see above)

    return Executor(*parts, **more)


class Commands:
    """Has each command performed by what `make` returns, while it has `lock`; after each, `owed`
    looks whether something is left to store. `phase` is that of the reconciler.
    """

    def __init__(
        self,
        make: Callable[[], Executor],
        lock: asyncio.Lock,
        reloads: Reloads,
        owed: Owed,
        phase: Callable[[], Phase],
    ) -> None:
        self._make = make
        self._lock = lock
        self._reloads = reloads
        self._owed = owed
        self._phase = phase
        self._made: list[Executor] = []
        self._closed = False

    @cached_property
    def executor(self) -> Executor:
        """The executor that performs commands."""
        made = self._make()
        self._made.append(made)
        if self._closed:
            made.close()
        return made

    @property
    def endings(self) -> tuple[DrainUntil | SlowCut, ...]:
        """Actions that were begun and go on for a while."""
        return self._made[0].deadlines.endings if self._made else ()

    def close(self) -> None:
        """Break off what is under way, as far as this is possible."""
        self._closed = True
        for one in self._made:
            one.close()

    async def answer(self, command: Command, snapshots: SnapshotReader, record: Record) -> Result:
        """Answer a command that changes nothing."""
        showing, phase = self.executor.showing, self._phase().value
        return await showing.answer(command, phase, snapshots.views, record)

    async def do(
        self, command: Command, who: str, since: float | None, gone: Callable[[], bool]
    ) -> Result:
        """Do what `command` says; see Reconciler.execute."""
        late = 0.0 if since is None else max(0.0, time.time() - since)
        outcome = await asyncio.shield(spawn(self._outcome(command, who, late, gone), "command"))
        if isinstance(outcome, AmbassadorError):
            raise outcome
        return outcome

    async def _outcome(
        self, command: Command, who: str, late: float, gone: Callable[[], bool]
    ) -> Result | AmbassadorError:
        from ambassador.core.commands import Move, Reload, Undo, word  # noqa: PLC0415 (one is here)

        loop = asyncio.get_running_loop()
        patience = (
            max(command.timeout, 0) if isinstance(command, (Move, Undo)) else 0
        ) or _PATIENCE
        deadline = loop.time() + patience - late
        if late >= patience:
            return TimedOutError(
                f"it was asked {late:.0f} s ago and not begun in time; nothing was changed"
            )
        try:
            async with asyncio.timeout_at(deadline):
                await self._lock.acquire()
        except TimeoutError:
            return TimedOutError("another change is still being made; nothing was changed")
        try:
            if self._phase() is not Phase.READY:
                return RunError(f"the ambassador is {self._phase()}: nothing can be changed now")
            if gone():
                return TimedOutError("its caller has gone; nothing was changed")
            result = await (
                self._reload(who)
                if isinstance(command, Reload)
                else self.executor.do(command, who, deadline)
            )
        except AmbassadorError as error:
            return error
        finally:
            self._lock.release()
            self._owed.see()
        message = getattr(result, "message", "")
        log.event(log.INFO, "commanded", f"{message} ({who})", who=who, command=word(command))
        return result

    async def _reload(self, who: str) -> Done:
        from ambassador.core.results import Done  # noqa: PLC0415 (a command is here)

        steps = await self._reloads.do(who)
        return Done(told(steps), tuple(route_of(step).name for step in steps))
