"""How much memory this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["allowance"]

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def allowance() -> int:
    """Return the bytes that the processes of this cgroup may use: the smallest limit of it and of
    the cgroups above it (cgroups(7), memory.max), or the memory of the machine.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits()])


def _limits() -> Iterator[int]:
    yield from _limit(_ROOT / "memory.max")  # a container sees its own group there
    yield from _limit(_ROOT / "memory" / "memory.limit_in_bytes")  # version 1
    try:
        own = _OWN.read_text().splitlines()
    except OSError:
        return
    for line in own:
        if line.startswith("0::/"):
            group = _ROOT / line.removeprefix("0::/")
            for folder in (group, *group.parents):
                if folder == _ROOT:
                    break
                yield from _limit(folder / "memory.max")


def _limit(path: Path) -> Iterator[int]:
    try:
        text = path.read_text().strip()
    except OSError:
        return
    if text.isascii() and text.isdigit():  # else "max"
        yield int(text)
