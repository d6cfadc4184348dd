"""When a repeated question is asked next, beside a thousand others. Pure.

Each question has a fixed time within the interval and keeps it: questions that were spread evenly
stay so, however long an answer took, or the process did not run.
"""

from __future__ import annotations

__all__ = ["missed", "next_turn"]


def next_turn(now: float, phase: float, interval: float) -> float:
    """Return the next of the times `phase` + n * `interval` that is at least half an interval away,
    and less than one and a half.
    """
    return now + interval * 1.5 - (now - phase + interval / 2) % interval


def missed(now: float, due: float, interval: float) -> bool:
    """Tell whether the question `due` then is so late that its next turn has come. Then all
    questions are late, and without this check all would be asked at one moment.
    """
    return now > due + interval
