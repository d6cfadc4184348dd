"""What ambassadors report of one service: read once, then followed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from ambassador.core.fleet.keys import after
from ambassador.core.fleet.progress import Next, Progress, Tally, next_step
from ambassador.core.fleet.records import Applied, State
from ambassador.errors import RunError
from ambassador.fleet.etcd import Etcd
from ambassador.fleet.faults import CompactedError
from ambassador.fleet.standing import reported

__all__ = ["Reports", "Say", "Stage"]

_DRAWN = 0.05  # seconds between two calls of `say`
_PAUSE = 0.2  # seconds until another member is asked

Say = Callable[[str, Progress], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """A state (`wanted`) that `asked` are to report of the word or trial of `revision`. More than
    `abort` percent of refusals end the stage. With `stay` the reports are watched for all of
    `seconds`.
    """

    name: str
    asked: Sequence[str]
    revision: int
    seconds: float
    abort: float
    wanted: str = State.APPLIED
    stay: bool = False


class Reports:
    """The reports under the keys that begin with `beginning`, `known` at the revision `at`; `say`
    is called with the progress of each stage.
    """

    def __init__(
        self, etcd: Etcd, beginning: str, known: Mapping[str, Applied], at: int, say: Say
    ) -> None:
        self._etcd = etcd
        self._beginning = beginning
        self._known = dict(known)
        self._at = at
        self._say = say
        self._later: asyncio.TimerHandle | None = None

    async def follow(self, stage: Stage) -> tuple[Next, Progress]:
        """Watch until the stage ends; return what follows, and the progress by then."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + stage.seconds
        tally = Tally(stage.asked, self._known, stage.revision, stage.wanted)
        self._say(stage.name, tally.progress())
        step = _then(stage, tally)
        while step is Next.WAIT:
            try:
                async with asyncio.timeout_at(deadline):
                    step = await self._heard(stage, tally)
            except TimeoutError:
                step = _then(stage, tally, late=True)
            except (RunError, CompactedError):
                await asyncio.sleep(_PAUSE)
                if loop.time() > deadline:
                    step = _then(stage, tally, late=True)
                else:
                    tally = await self._anew(stage, tally)
                    step = _then(stage, tally)
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._say(stage.name, now := tally.progress())
        return step, now

    async def _heard(self, stage: Stage, tally: Tally) -> Next:
        """Take reports until the stage ends."""
        ends = after(self._beginning)
        async with aclosing(self._etcd.watch(self._beginning, ends, self._at + 1)) as batches:
            async for batch in batches:
                if not batch.changes:
                    continue
                self._at = max(self._at, batch.revision)
                for who, report in reported(self._beginning, batch.changes):
                    if report is None:
                        self._known.pop(who, None)
                    else:
                        self._known[who] = report
                    tally.report(who, report)
                if (step := _then(stage, tally)) is not Next.WAIT:
                    return step
                if self._later is None:
                    loop = asyncio.get_running_loop()
                    self._later = loop.call_later(_DRAWN, self._tell, stage.name, tally)
        return Next.WAIT

    def _tell(self, name: str, tally: Tally) -> None:
        self._later = None
        self._say(name, tally.progress())

    async def _anew(self, stage: Stage, tally: Tally) -> Tally:
        """Read all again: changes in between may be compacted."""
        try:
            found = await self._etcd.get(self._beginning, after(self._beginning))
        except RunError:
            return tally
        self._at = found.revision
        all_ = reported(self._beginning, found.values)
        self._known = {who: report for who, report in all_ if report is not None}
        return Tally(stage.asked, self._known, stage.revision, stage.wanted)


def _then(stage: Stage, tally: Tally, *, late: bool = False) -> Next:
    step = next_step(tally, stage.abort, late=late)
    return Next.WAIT if stage.stay and step is Next.DONE and not late else step
