"""How much of its part an endpoint gets that has just come, or come back."""

from __future__ import annotations

__all__ = ["share"]

_LEAST = 0.1  # of its part, at once: one that gets nothing shows nothing


def share(elapsed: float, seconds: float) -> float:
    """Return which part of its own an endpoint gets that is there since `elapsed` seconds, where it
    is to have all after `seconds`.
    """
    if elapsed >= seconds:
        return 1.0
    return max(_LEAST, elapsed / seconds)
