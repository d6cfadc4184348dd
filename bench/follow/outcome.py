"""What one failover has cost, by what clients heard and the servers have logged. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bench.follow.writers import Write

__all__ = ["Outcome", "judge", "primary_at"]


@dataclass(frozen=True)
class Outcome:
    """Times in milliseconds, None: not within the time looked at."""

    first: float | None
    everybody: float | None
    named: float | None  # from the first sentinel's new answer to the first write
    gap: float
    lost: int  # acknowledged by a server when another had been promoted already
    unreplicated: int  # acknowledged by the primary, and not replicated before it was replaced
    readonly: int
    refused: int


def primary_at(when: float, promotions: Sequence[tuple[float, int]]) -> int | None:
    """Return the server that was promoted last before `when`; None where none was yet."""
    return next((server for at, server in reversed(promotions) if at <= when), None)


def judge(
    acknowledged: Sequence[Write],
    there: Collection[str],
    promotions: Sequence[tuple[float, int]],
    *,
    before: int,
    began: float,
    named: float,
    clients: Sequence[int],
    answers: tuple[int, int],
) -> Outcome:
    """Judge the writes around an event that `began` while `before` was the primary, of which
    `there` are at the new one now; `answers` are how many READONLY and refusals there were.
    """
    good = [one for one in acknowledged if one.server != before and str(one.number) in there]
    firsts = [min((o.heard for o in good if o.client == one), default=None) for one in clients]
    found = [one for one in firsts if one is not None]
    moments = sorted(one.heard for one in acknowledged if one.heard > began - 0.5)
    missing = [one for one in acknowledged if str(one.number) not in there]
    lost = [one for one in missing if primary_at(one.done, promotions) not in (None, one.server)]
    return Outcome(
        (min(found) - began) * 1000 if found else None,
        (max(found) - began) * 1000 if len(found) == len(firsts) else None,
        (min(found) - named) * 1000 if found and named else None,
        max((b - a for a, b in itertools.pairwise(moments)), default=0.0) * 1000,
        len(lost),
        len(missing) - len(lost),
        *answers,
    )
