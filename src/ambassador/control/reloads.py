"""Reading the sources again; where that fails, everything stays as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ambassador import log
from ambassador.control.apply import Applier
from ambassador.control.snapshots import SnapshotReader
from ambassador.core.plan import Step
from ambassador.errors import LostRoutesError, in_a_line
from ambassador.garbage import none_collected
from ambassador.ports import Reloadable

__all__ = ["Reloads", "told"]

_LONGEST = 10_000  # characters of the error of a source, in the log


def told(steps: Sequence[Step]) -> str:
    """Return the log text of a reload that led to `steps`."""
    return f"reloaded: {len(steps)} change{'' if len(steps) == 1 else 's'}"


class Reloads:
    """Reads `snapshots` and `reloadables` again, and has `applier` apply the result."""

    def __init__(
        self, snapshots: SnapshotReader, reloadables: Sequence[Reloadable], applier: Applier
    ) -> None:
        self.snapshots = snapshots
        self._reloadables = reloadables
        self.applier = applier

    async def renew(self, name: str) -> None:
        """Read the source called `name` again. Raises any error, after logging it."""
        try:
            desired, snapshots = await asyncio.to_thread(self.snapshots.read, only=name)
            await self.applier.source(desired, name)
        except Exception as error:
            self.snapshots.bad(error, name)
            text = (await asyncio.to_thread(in_a_line, error))[:_LONGEST]
            what = f"{name}: everything stays as it was: {text}"
            log.event(log.ERROR, "renew_failed", what, source=name, error=text)
            raise
        self.snapshots.good(snapshots)

    async def do(self, who: str, *, loss: bool = True) -> Sequence[Step]:
        """Reload, and return what has changed; with `loss` false, raise where most routes of a
        source would go. Raises any error, after logging it.
        """
        failing = ""  # what was read last, where that is not a source
        try:
            with none_collected():
                desired, snapshots = await asyncio.to_thread(self.snapshots.read, loss=loss)
                for one in self._reloadables:
                    failing = one.name
                    one.read()
                failing = ""
                steps = await self.applier.source(desired, who)
        except Exception as error:
            # Also for a bug, or a thread that could not be started: it is logged and shown.
            self.snapshots.bad(error, failing)
            text = await asyncio.to_thread(in_a_line, error)
            if len(text) > _LONGEST:  # thousands of findings; `check` shows them all
                text = f"{text[:_LONGEST]}..."
            lost = isinstance(error, LostRoutesError)  # no error, but perhaps not intended
            what = "not reloaded" if lost else "reload failed, everything stays as it was"
            log.event(log.ERROR, "reload_failed", f"{what}: {text}", error=text)
            raise
        self.snapshots.good(snapshots)
        for one in self._reloadables:
            one.take_over()
        log.event(log.INFO, "reloaded", told(steps), changes=len(steps))
        return steps
