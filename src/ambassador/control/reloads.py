"""The sources are read again; where that fails, everything stays as it was."""

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

_LONGEST = 10_000  # characters of what is wrong with a source, in the log


def told(steps: Sequence[Step]) -> str:
    """Return what there is to say of a reload that came to `steps`."""
    return f"reloaded: {len(steps)} change{'' if len(steps) == 1 else 's'}"


class Reloads:
    """Reads `snapshots` and `reloadables` anew, and has `applier` make it so."""

    def __init__(
        self, snapshots: SnapshotReader, reloadables: Sequence[Reloadable], applier: Applier
    ) -> None:
        self.snapshots = snapshots
        self._reloadables = reloadables
        self.applier = applier

    async def renew(self, name: str) -> None:
        """Read the source called `name` again. Raises whatever was wrong, after it was said."""
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
        """Reload, and return what has changed; without `loss`, not where most routes would go.
        Raises whatever was wrong.
        """
        failing = ""  # what was read last, where that is no source
        try:
            with none_collected():
                desired, snapshots = await asyncio.to_thread(self.snapshots.read, loss=loss)
                for one in self._reloadables:
                    failing = one.name
                    one.read()
                failing = ""
                steps = await self.applier.source(desired, who)
        except Exception as error:
            # Also what is a bug, or a thread that could not be started: it is said and shown.
            self.snapshots.bad(error, failing)
            text = await asyncio.to_thread(in_a_line, error)
            if len(text) > _LONGEST:  # thousands of findings; `check` shows them all
                text = f"{text[:_LONGEST]}..."
            lost = isinstance(error, LostRoutesError)  # nothing is wrong, but it may not be meant
            what = "not reloaded" if lost else "reload failed, everything stays as it was"
            log.event(log.ERROR, "reload_failed", f"{what}: {text}", error=text)
            raise
        self.snapshots.good(snapshots)
        for one in self._reloadables:
            one.take_over()
        log.event(log.INFO, "reloaded", told(steps), changes=len(steps))
        return steps
