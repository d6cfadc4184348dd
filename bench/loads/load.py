"""What a load is: something done to a bed, and the values read off."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.bed import Bed
from bench.peers.peer import Peer

__all__ = ["Load", "Pace", "shortcoming"]


@dataclass(slots=True)
class Pace:
    """How long one measurement is to take, and the rates seen so far, to choose its length."""

    seconds: float
    rates: dict[tuple[str, str, str], float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of load. `run` raises Missing where it cannot be done with this bed.

    `metrics` are keys of bench.metrics.METRICS; `takes` tells whether it says anything about a
    peer; `descriptors` is what the peer needs; `most_rounds` limits what is slow and steady;
    `turns` are how often in a round all peers are measured with what is short.
    """

    key: str
    group: str
    label: str
    metrics: tuple[str, ...]
    run: Callable[[Load, Bed, Pace], Mapping[str, float]]
    tools: tuple[tuple[str, str], ...] = ()
    topologies: tuple[str, ...] = ("shared", "three")
    takes: Callable[[Peer], bool] = lambda _peer: True
    descriptors: int = 256
    most_rounds: int = 99
    turns: int = 1
    number: int = 0  # connections, streams, sessions or routes
    weight: float = 1.0  # of the time that a plain load takes


def shortcoming(load: Load, limit: int) -> str:
    """Return in one line why `load` cannot be run on this machine, or an empty string."""
    for program, package in load.tools:
        if shutil.which(program) is None:
            return f"{program} is not installed: apt-get install {package}"
    if load.descriptors > limit:
        return f"needs {load.descriptors} open files in a process, {limit} are allowed (ulimit -n)"
    return ""
