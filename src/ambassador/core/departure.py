"""When open sessions whose endpoint has left the route are ended.

All of them have a time of grace; then what is left is ended one by one, evenly spaced.
"""

from __future__ import annotations

from ambassador.model import Existing, Fate

__all__ = ["LAST_PART", "due", "grace"]

# The share of a drain over which what is left is cut: clients that reconnect come spread out.
LAST_PART = 0.2


def grace(existing: Existing) -> float | None:
    """Return for how many seconds every session may go on; None: for as long as it likes."""
    match existing.fate:
        case Fate.KEEP:
            return None
        case Fate.DRAIN:
            return existing.seconds * (1 - LAST_PART)
        case Fate.CUT:
            return 0.0


def due(existing: Existing, count: int, elapsed: float) -> int:
    """Return how many of `count` sessions, left at the end of the grace, must have ended
    `elapsed` seconds after it.

    At a rate, or within the last part of a drain, the first ends at once and a drain's last
    before its time is over.
    """
    match existing.fate:
        case Fate.KEEP:
            return 0
        case Fate.DRAIN:
            last_part = existing.seconds * LAST_PART
            share = elapsed / last_part if last_part > 0 else 1.0
            return min(count, int(share * count) + 1)
        case Fate.CUT:
            return min(count, int(elapsed * existing.rate) + 1) if existing.rate else count
