"""Wait for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["until"]

_T = TypeVar("_T")
_PAUSE = 0.005


def until(condition: Callable[[], _T], within: float = 5.0, what: str = "") -> _T:
    """Return the first truth that `condition` gives; fail after `within` seconds."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what or condition}; last: {found!r}")
        time.sleep(_PAUSE)
    return found
