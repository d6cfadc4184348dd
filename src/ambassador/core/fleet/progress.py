"""How far a move has come, and what follows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ambassador.core.fleet.records import Applied, State

__all__ = ["Next", "Progress", "Tally", "bar", "followers_left", "next_step", "spread"]

_WIDTH = 30
# Reports a second that etcd has to take: one costs etcd 0.3 to 0.5 ms of CPU (docs/fleet.md).
_A_SECOND, _SHORTEST = 1500, 0.05


@dataclass(frozen=True, slots=True)
class Progress:
    """Which of the ambassadors asked have done what, by their names."""

    applied: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()  # with the reason
    gone: tuple[str, ...] = ()  # their lease has ended since: they no longer follow

    @property
    def total(self) -> int:
        """How many ambassadors are asked, without those in `gone`."""
        return len(self.applied) + len(self.waiting) + len(self.refused)


class Next(StrEnum):
    """What the mover does now."""

    WAIT = "wait"
    DONE = "done"  # all have applied it
    ABORT = "abort"  # more than the stated share cannot
    LATE = "late"  # the time is over


class Tally:
    """Counts which of `asked` have done what about the word or trial of `revision`, report by
    report; a report costs the same among thousands. `done` is the state they are to report. A
    report of a later revision counts as well: that ambassador has seen the earlier one.
    """

    def __init__(
        self,
        asked: Iterable[str],
        reports: Mapping[str, Applied],
        revision: int,
        done: str = State.APPLIED,
    ) -> None:
        self._revision, self._done = revision, done
        self._applied, self._gone = dict[str, str](), dict[str, str]()
        self.waiting, self.refused = dict[str, str](), dict[str, str]()
        self._kinds = (self._applied, self.waiting, self.refused, self._gone)
        self._where = dict.fromkeys(asked, self.waiting)
        for who in self._where:
            self.report(who, reports.get(who))

    @property
    def total(self) -> int:
        """How many ambassadors are asked, without those that are gone."""
        return len(self._where) - len(self._gone)

    def report(self, who: str, report: Applied | None) -> None:
        """Take the latest `report` of `who`; None: that ambassador no longer follows."""
        if who in self._where:
            self._where[who].pop(who, None)
            self._where[who] = kind = self._kind(report)
            kind[who] = "" if report is None else report.why

    def _kind(self, report: Applied | None) -> dict[str, str]:
        if report is None:
            return self._gone
        if report.revision < self._revision:
            return self.waiting
        if report.state == State.REFUSED:
            return self.refused
        done = report.state == self._done or report.revision > self._revision
        return self._applied if done else self.waiting

    def progress(self) -> Progress:
        """Return which ambassadors have done what, in the order in which they were asked."""
        applied, waiting, refused, gone = (
            [who for who, where in self._where.items() if where is kind] for kind in self._kinds
        )
        reasons = tuple((who, self.refused[who]) for who in refused)
        return Progress(tuple(applied), tuple(waiting), reasons, tuple(gone))


def spread(count: int) -> float:
    """Return over how many seconds `count` ambassadors spread their reports of one move."""
    return round(max(_SHORTEST, count / _A_SECOND), 2)


def next_step(now: Progress | Tally, abort: float, *, late: bool) -> Next:
    """Return what follows; when more than `abort` percent refuse, the move is taken back."""
    if now.refused and 100 * len(now.refused) > abort * now.total:
        return Next.ABORT
    if not now.waiting and not now.refused:
        return Next.DONE
    return Next.LATE if late else Next.WAIT


def bar(now: Progress) -> str:
    """Return one line: a bar, and how many ambassadors have applied the move, wait and refuse."""
    total = max(1, now.total)
    full = _WIDTH * len(now.applied) // total
    bad = min(_WIDTH - full, -(-_WIDTH * len(now.refused) // total))
    drawn = "#" * full + "!" * bad + "." * (_WIDTH - full - bad)
    counts = f"{len(now.applied)} applied, {len(now.waiting)} waiting, {len(now.refused)} refused"
    return f"[{drawn}] {counts}"


def followers_left(now: Progress, longest: int = 10) -> list[str]:
    """Return a line for each ambassador that has not applied the move, at most `longest`, and then
    one with the number of the others.
    """
    lines = [f"{who}: refused, {why}" for who, why in now.refused]
    lines += [f"{who}: has not answered yet" for who in now.waiting]
    more = len(lines) - longest
    return lines if more <= 0 else [*lines[:longest], f"and {more} more"]
