"""The metrics of this process, from proc(5)."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path

__all__ = ["read"]


def read() -> Mapping[str, float]:
    """Return the metrics of this process by name, without those that the system does not tell."""
    found: dict[str, float] = {"process_max_fds": resource.getrlimit(resource.RLIMIT_NOFILE)[0]}
    try:
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        booted = Path("/proc/stat").read_bytes().partition(b"\nbtime ")[2].split()[0]
        found["process_open_fds"] = _descriptors()
    except (OSError, IndexError):
        return found
    ticks = os.sysconf("SC_CLK_TCK")
    found["process_cpu_seconds_total"] = (int(fields[11]) + int(fields[12])) / ticks
    found["process_start_time_seconds"] = int(booted) + int(fields[19]) / ticks
    found["process_virtual_memory_bytes"] = int(fields[20])
    found["process_resident_memory_bytes"] = int(fields[21]) * resource.getpagesize()
    return found


def _descriptors() -> int:
    """Return how many descriptors are open: Linux tells this from 6.2 on; before, count them."""
    folder = Path("/proc/self/fd")
    return folder.stat().st_size or sum(1 for _ in folder.iterdir())
