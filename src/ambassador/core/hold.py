"""Which clients may wait at a route that is held, and for how long."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from ambassador.model import Hold

__all__ = ["admits", "next_overdue", "overdue"]


def admits(hold: Hold, waiting: int) -> bool:
    """Return whether one more client may wait beside `waiting` others."""
    return waiting < hold.limit


def overdue(hold: Hold, since: Iterable[float], now: float) -> int:
    """Return how many clients have waited too long. `since` has the time at which each began to
    wait, in ascending order; the clients that have waited too long are the first of these.
    """
    return sum(1 for _ in takewhile(lambda began: now - began >= hold.timeout, since))


def next_overdue(hold: Hold, oldest: float | None) -> float | None:
    """Return when the client that waits since `oldest` will have waited too long."""
    return None if oldest is None else oldest + hold.timeout
