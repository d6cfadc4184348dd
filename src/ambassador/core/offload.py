"""How the work of carrying is spread over processes."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["MOST", "least_loaded", "wanted", "workers"]

# More have not been measured; a process is 13 MB, 7 of them its own, while it has something to do.
MOST = 8


def workers(wanted: int | None, cores: float) -> int:
    """Return how many processes may carry beside the first one: `wanted`, or as many as there are
    `cores` to run on (a share of one, where the time is limited); none on a single core, where
    they would only add switches between processes.
    """
    if wanted is not None:
        return wanted
    return min(int(cores), MOST) if cores >= 2 else 0


def wanted(limit: int, running: int, busy: int, carried: int) -> int:
    """Return how many processes to start: one for each session up to `limit`, where `running` are
    there and carry `carried`, and `busy` sessions wait to be carried.
    """
    return max(0, min(limit, busy + carried) - running)


def least_loaded(loads: Sequence[int], room: int) -> int | None:
    """Return the place of the smallest of `loads` (sessions), the first of equals; None where each
    has `room` or more.
    """
    place = min(range(len(loads)), key=loads.__getitem__, default=None)
    return place if place is not None and loads[place] < room else None
