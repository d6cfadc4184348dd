"""When something is asked that is asked again and again, beside a thousand others. Pure.

Each has a place of its own within the interval, and keeps it: however long an answer took, or the
process stood still, those that were spread evenly stay so.
"""

from __future__ import annotations

__all__ = ["missed", "next_turn"]


def next_turn(now: float, phase: float, interval: float) -> float:
    """Return the next of the times `phase` + n * `interval` that is half an interval away at least,
    and less than one and a half.
    """
    return now + interval * 1.5 - (now - phase + interval / 2) % interval


def missed(now: float, due: float, interval: float) -> bool:
    """Tell whether what was `due` is so late that its next turn has come: all were late, and would
    ask at one moment.
    """
    return now > due + interval
