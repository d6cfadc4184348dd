"""How sessions are spread over processes."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["MOST", "least_loaded", "wanted", "workers"]

# More than 8 have not been measured; a busy process has 5 MB of its own.
MOST = 8


def workers(wanted: int | None, cores: float) -> int:
    """Return how many worker processes there may be beside the first process: `wanted`, or as many
    as there are `cores` (a fraction where CPU time is limited); none on a single core, where
    workers would only add switches between processes.
    """
    if wanted is not None:
        return wanted
    return min(int(cores), MOST) if cores >= 2 else 0


def wanted(limit: int, running: int, busy: int, carried: int) -> int:
    """Return how many processes to start: one for each session up to `limit`. `running` processes
    exist and carry `carried` sessions, and `busy` sessions wait to be carried.
    """
    return max(0, min(limit, busy + carried) - running)


def least_loaded(loads: Sequence[int], room: int) -> int | None:
    """Return the index of the smallest of `loads` (sessions), the first of equals; None where each
    has `room` or more.
    """
    place = min(range(len(loads)), key=loads.__getitem__, default=None)
    return place if place is not None and loads[place] < room else None
