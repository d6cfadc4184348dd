"""How far a move has come, and what follows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ambassador.core.fleet.records import Applied, State

__all__ = ["Next", "Progress", "bar", "followers_left", "next_step", "progress"]

_WIDTH = 30


@dataclass(frozen=True, slots=True)
class Progress:
    """Who of the ambassadors asked has done what, by their names."""

    applied: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()  # with the reason
    gone: tuple[str, ...] = ()  # whose lease has ended since: they follow no longer

    @property
    def total(self) -> int:
        """How many ambassadors are asked, without those that are gone."""
        return len(self.applied) + len(self.waiting) + len(self.refused)


class Next(StrEnum):
    """What the one who moves does now."""

    WAIT = "wait"
    DONE = "done"  # all have applied it
    ABORT = "abort"  # more than the stated share cannot
    LATE = "late"  # the time is over


def progress(
    asked: Iterable[str], reports: Mapping[str, Applied], revision: int, done: str = State.APPLIED
) -> Progress:
    """Return how far `asked` have come with the word or trial of `revision`; `done` is what they
    are to report. A report of a later revision counts: what it came after was seen.
    """
    applied, waiting, gone = list[str](), list[str](), list[str]()
    refused = list[tuple[str, str]]()
    for who in asked:
        report = reports.get(who)
        if report is None:
            gone.append(who)
        elif report.revision < revision:
            waiting.append(who)
        elif report.state == State.REFUSED:
            refused.append((who, report.why))
        elif report.state == done or report.revision > revision:
            applied.append(who)
        else:
            waiting.append(who)
    return Progress(tuple(applied), tuple(waiting), tuple(refused), tuple(gone))


def next_step(now: Progress, abort: float, *, late: bool) -> Next:
    """Return what follows; more than `abort` percent that refuse take the move back."""
    if now.refused and 100 * len(now.refused) > abort * now.total:
        return Next.ABORT
    if not now.waiting and not now.refused:
        return Next.DONE
    return Next.LATE if late else Next.WAIT


def bar(now: Progress) -> str:
    """Return one line: a bar, and how many have applied it, wait and refuse."""
    total = max(1, now.total)
    full = _WIDTH * len(now.applied) // total
    bad = min(_WIDTH - full, -(-_WIDTH * len(now.refused) // total))
    drawn = "#" * full + "!" * bad + "." * (_WIDTH - full - bad)
    counts = f"{len(now.applied)} applied, {len(now.waiting)} waiting, {len(now.refused)} refused"
    return f"[{drawn}] {counts}"


def followers_left(now: Progress, longest: int = 10) -> list[str]:
    """Return a line for each that has not applied it, at most `longest` and one that counts."""
    lines = [f"{who}: refused, {why}" for who, why in now.refused]
    lines += [f"{who}: has not answered yet" for who in now.waiting]
    more = len(lines) - longest
    return lines if more <= 0 else [*lines[:longest], f"and {more} more"]
