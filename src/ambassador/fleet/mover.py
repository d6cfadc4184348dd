"""A move of a service for all ambassadors that follow it, made by one operator.

    word     compare-and-swap: the first mover succeeds, the others are told whose word counts
    trial    under a lease of the mover: if the mover ends, its trial ends, too

A canary goes first, then (with `hold`) all hold new sessions, then the word is written; where more
than a stated share cannot verify, the previous word is restored.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from ambassador.core.fleet.destination import canaries
from ambassador.core.fleet.keys import Keys
from ambassador.core.fleet.past import MOST, to_undo
from ambassador.core.fleet.progress import Next, Progress, spread
from ambassador.core.fleet.records import Entry, Kind, State, Trial, Word, written
from ambassador.errors import ConflictError, NotFoundError, Problem, RunError
from ambassador.fleet.etcd import Etcd
from ambassador.fleet.faults import NoLeaseError
from ambassador.fleet.reports import Reports, Say, Stage
from ambassador.fleet.requests import absent, delete, put, since
from ambassador.fleet.standing import Standing, followed, standing
from ambassador.model import Endpoint
from ambassador.spec import format_endpoint, meant
from ambassador.tasks import spawn

__all__ = ["Mover", "Outcome", "Plan"]

_TTL = 10  # seconds after which the trial of a crashed mover ends


@dataclass(frozen=True, slots=True)
class Plan:
    """The move that is wanted: shares in percent (canary 0: no canary), times in seconds."""

    service: str
    endpoints: tuple[Endpoint, ...]
    hold: bool = False
    existing: str = ""
    canary: float = 0.0
    wait: float = 0.0
    abort: float = 10.0
    timeout: float = 30.0
    what: str = "move"
    of: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result: `done` when all have applied it; `aborted`: why it was taken back."""

    done: bool
    progress: Progress
    seconds: float
    aborted: str = ""


class Mover:
    """Moves for `who`; `say` is called with the progress of each stage."""

    def __init__(
        self, etcd: Etcd, keys: Keys, who: str, say: Say = lambda _stage, _now: None
    ) -> None:
        self._etcd = etcd
        self._keys = keys
        self._who = who
        self._say = say
        self._lease = 0
        self._reports: Reports  # from the revision at which they were read when the move began

    async def move(self, plan: Plan) -> Outcome:
        """Make the move. Raises NotFoundError where no ambassador follows the service,
        ConflictError where the service leads there already or another word was first, AwayError.
        """
        began = time.monotonic()
        here = await standing(self._etcd, self._keys, plan.service)
        await self._check(plan, here)
        beginning = self._keys.applied(plan.service)
        self._reports = Reports(self._etcd, beginning, here.reports, here.reported, self._say)
        asked = tuple(sorted(here.reports))
        async with self._tried():
            trial, aborted = await self._try_out(plan, here, asked)
            if aborted is not None:
                await self._note(plan, here, aborted.aborted)
                return replace(aborted, seconds=time.monotonic() - began)
            revision, number = await self._commit(plan, here, trial)
        then, now = await self._reports.follow(_stage("move", plan, asked, revision))
        if then is Next.ABORT:
            aborted = await self._take_back(plan, here, asked, (revision, number), now)
            return replace(aborted, seconds=time.monotonic() - began)
        return Outcome(then is Next.DONE, now, time.monotonic() - began)

    async def undo(self, service: str, plan: Plan) -> tuple[Plan, Outcome]:
        """Take back the last move of `service` that is in force, as `plan` says. Raises
        NotFoundError where there is none.
        """
        here = await standing(self._etcd, self._keys, service)
        number = to_undo(here.history)
        if number is None:
            what = f"there is no move of {service} to take back"
            raise NotFoundError(Problem("service", what, "", "a service that was moved"))
        back = replace(plan, endpoints=here.history[number].before, what="undo", of=number)
        return back, await self.move(back)

    async def _check(self, plan: Plan, here: Standing) -> None:
        name = plan.service
        if not here.reports:
            names = await followed(self._etcd, self._keys)
            what = f"no ambassador follows {name} under {self._keys.prefix}{meant(name, names)}"
            expected = f"one of {', '.join(names[:20])}" if names else "a service that is followed"
            raise NotFoundError(Problem("service", what, name, expected))
        if here.trial is not None:
            what = f"a move of {name} by {here.trial.who or 'somebody'} is under way"
            raise ConflictError(Problem("service", what, name, "one move at a time"))
        if plan.endpoints == here.word.endpoints and here.revision:
            where = ", ".join(map(format_endpoint, plan.endpoints)) or "what is announced"
            by = f", by the word of {here.word.who}" if here.word.who else ""
            raise ConflictError(Problem("endpoints", f"{name} leads to {where} already{by}"))

    @contextlib.asynccontextmanager
    async def _tried(self) -> AsyncIterator[None]:
        """A trial written inside ends with this block, however the block ends."""
        keeping = spawn(self._keep(), "keep the lease of a trial")
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})
            if self._lease:
                lease, self._lease = self._lease, 0
                with contextlib.suppress(RunError, NoLeaseError):
                    await self._etcd.revoke(lease)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_TTL / 4)
            if self._lease:
                with contextlib.suppress(RunError, NoLeaseError):
                    await self._etcd.renew(self._lease)

    async def _try_out(
        self, plan: Plan, here: Standing, asked: Sequence[str]
    ) -> tuple[int, Outcome | None]:
        """Make the trials before the word; return the revision of the trial, and the outcome where
        the move ends here.
        """
        trial, aborted = 0, None
        try:
            if plan.canary:
                trial, aborted = await self._canary(plan, here, asked)
            if plan.hold and aborted is None:
                trial, aborted = await self._hold(plan, here, asked, trial)
        except asyncio.CancelledError:
            if self._lease:
                await self._note(plan, here, "given up before the move was decided")
            raise
        return trial, aborted

    async def _note(self, plan: Plan, here: Standing, why: str) -> None:
        """Write a history line about a trial that did not become the word; the line takes nothing
        back.
        """
        word, when = here.word.endpoints, round(time.time(), 3)
        entry = Entry("abort", word, plan.endpoints, self._who, when, 0, why)
        done, history = False, here.history
        while not done:  # somebody else may have taken the number
            key = self._keys.history(plan.service, max(history, default=0) + 1)
            done, _ = await self._etcd.change([absent(key)], [put(key, written(entry))], key)
            history = (
                history if done else (await standing(self._etcd, self._keys, plan.service)).history
            )

    async def _canary(
        self, plan: Plan, here: Standing, asked: Sequence[str]
    ) -> tuple[int, Outcome | None]:
        """Have some ambassadors go first, and watch them for a time; None: go on."""
        up_to, chosen = canaries(asked, plan.canary)
        within = spread(len(chosen))
        trial = Trial(plan.endpoints, Kind.CANARY, up_to, None, self._who, within)
        revision = await self._try(plan, here, trial, 0)
        stage = _stage("canary", plan, chosen, revision)
        then, now = await self._reports.follow(stage)
        if then is Next.DONE and plan.wait:
            stage = replace(stage, name="wait", seconds=plan.wait, stay=True)
            then, now = await self._reports.follow(stage)
        if then is Next.DONE:
            return revision, None
        why = _why(now, f"{len(now.applied)} of {now.total} canaries have applied it")
        return revision, Outcome(False, now, 0.0, why)

    async def _hold(
        self, plan: Plan, here: Standing, asked: Sequence[str], before: int
    ) -> tuple[int, Outcome | None]:
        """Have all ambassadors verify and hold new sessions; None: go on."""
        trial = Trial(plan.endpoints, Kind.HOLD, "", None, self._who, spread(len(asked)))
        revision = await self._try(plan, here, trial, before)
        stage = replace(_stage("hold", plan, asked, revision), wanted=State.HELD)
        then, now = await self._reports.follow(stage)
        enough = 100 * (len(now.refused) + len(now.waiting)) <= plan.abort * now.total
        if then is Next.DONE or (then is Next.LATE and enough):
            return revision, None
        why = _why(now, f"{len(now.applied)} of {now.total} hold")
        return revision, Outcome(False, now, 0.0, why)

    async def _try(self, plan: Plan, here: Standing, trial: Trial, before: int) -> int:
        if not self._lease:
            self._lease, _ = await self._etcd.grant(_TTL)
        key, word = self._keys.trial(plan.service), self._keys.word(plan.service)
        conditions = [since(word, here.revision), since(key, before)]
        trial = replace(trial, existing=None)
        change = put(key, written(trial, plan.existing), self._lease)
        done, revision = await self._etcd.change(conditions, [change], key)
        if not done:
            raise await self._other(plan.service)
        return revision

    async def _commit(self, plan: Plan, here: Standing, trial: int) -> tuple[int, int]:
        """Write the word; return its revision and its number in the history."""
        number = max(here.history, default=0) + 1
        when, within = round(time.time(), 3), spread(len(here.reports))
        word = Word(plan.endpoints, None, self._who, when, within)
        entry = Entry(plan.what, plan.endpoints, here.word.endpoints, self._who, word.when, plan.of)
        done, revision = await self._swap(plan, here.revision, trial, word, (number, entry))
        if not done:
            raise await self._other(plan.service)
        return revision, number

    async def _swap(
        self, plan: Plan, before: int, trial: int, word: Word, line: tuple[int, Entry]
    ) -> tuple[bool, int]:
        name, keys = plan.service, self._keys
        number, entry = line
        key = keys.history(name, number)
        conditions = [
            since(keys.word(name), before),
            since(keys.trial(name), trial),
            absent(key),
        ]
        changes = [put(keys.word(name), written(word, plan.existing)), put(key, written(entry))]
        if trial:
            changes.append(delete(keys.trial(name)))
        if number > MOST:
            changes.append(delete(keys.history(name), keys.history(name, number - MOST + 1)))
        return await self._etcd.change(conditions, changes, keys.word(name))

    async def _take_back(
        self,
        plan: Plan,
        here: Standing,
        asked: Sequence[str],
        made: tuple[int, int],
        why: Progress,
    ) -> Outcome:
        """Restore the previous word, and wait until all ambassadors have applied it; `made` is the
        revision of our word and its number in the history.
        """
        revision, number = made
        text = _why(why, "")
        when, within = round(time.time(), 3), spread(len(asked))
        word = Word(here.word.endpoints, None, self._who, when, within)
        entry = Entry("abort", word.endpoints, plan.endpoints, self._who, word.when, number, text)
        done, again = await self._swap(plan, revision, 0, word, (number + 1, entry))
        if not done:
            raise await self._other(plan.service)
        stage = replace(_stage("back", plan, asked, again), abort=100)
        _, now = await self._reports.follow(stage)
        return Outcome(False, now, 0.0, text)

    async def _other(self, service: str) -> ConflictError:
        """Return an error that says whose word, or trial, is there in place of ours."""
        here = await standing(self._etcd, self._keys, service)
        where = ", ".join(map(format_endpoint, here.word.endpoints)) or "what is announced"
        what = f"another was first: the word of {here.word.who or 'somebody'} stands, {service} "
        what += f"leads to {where}"
        if here.trial is not None:
            what = f"another was first: a move of {service} by {here.trial.who} is under way"
        return ConflictError(Problem("service", f"{what}; nothing of yours has changed", service))


def _stage(name: str, plan: Plan, asked: Sequence[str], revision: int) -> Stage:
    """Return the stage in which `asked` apply what was written at `revision`: in the time of
    `plan`, and the time over which they spread their reports.
    """
    seconds = plan.timeout + spread(len(asked))
    return Stage(name, asked, revision, seconds, plan.abort)


def _why(now: Progress, otherwise: str) -> str:
    if not now.refused:
        return otherwise
    who, why = now.refused[0]
    more = len(now.refused) - 1
    others = f" and {more} more" if more else ""
    return f"{len(now.refused)} of {now.total} cannot: {who}: {why}{others}"
