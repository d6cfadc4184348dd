"""How much of its share an endpoint gets that has just joined, or come back."""

from __future__ import annotations

__all__ = ["share"]

_LEAST = 0.1  # of its share, at once: without sessions it cannot show that it works


def share(elapsed: float, seconds: float) -> float:
    """Return the part of its share that an endpoint gets which joined `elapsed` seconds ago and is
    to have all of it after `seconds`.
    """
    if elapsed >= seconds:
        return 1.0
    return max(_LEAST, elapsed / seconds)
