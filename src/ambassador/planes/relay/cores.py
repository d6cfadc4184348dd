"""How many cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cores"]

# A container sees its own group there; version 1 of cgroups has two files of another name.
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_FORMER = tuple(Path("/sys/fs/cgroup/cpu") / f"cpu.cfs_{word}_us" for word in ("quota", "period"))


def cores() -> float:
    """Return the number of cores that this process may run on (sched_getaffinity(2)), or fewer
    where its CPU time is limited (`docker run --cpus`; cgroups(7), cpu.max).
    """
    return min(float(len(os.sched_getaffinity(0))), _allowed())


def _allowed() -> float:
    try:
        quota, period = _QUOTA.read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = (path.read_text().strip() for path in _FORMER)
        except OSError:
            return float("inf")
    if quota in ("max", "-1") or not int(period):
        return float("inf")
    return int(quota) / int(period)
