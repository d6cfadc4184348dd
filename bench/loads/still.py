"""What is seen without load: the start, and the memory of sessions that do nothing."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from bench.bed import Bed
from bench.loads.load import Load, Pace
from bench.peers.peer import Peer

__all__ = ["IDLE", "START"]

_STARTS = 3
_REDIS = (("redis-server", "redis-server"),)


def _is_between(peer: Peer) -> bool:
    return peer.name != "direct"


def start(load: Load, bed: Bed, _pace: Pace) -> Mapping[str, float]:
    """Start the peer anew `load.number` times; return the median to a first byte through."""
    return {"start_ms": median(bed.start_anew() for _ in range(load.number)) * 1000}


def idle(load: Load, bed: Bed, _pace: Pace) -> Mapping[str, float]:
    """Open `load.number` sessions, each used once; return what one costs the peer in memory.

    In a fresh process: memory that an earlier load left behind would be used again, unseen.
    """
    bed.start_anew()
    before = bed.memory_kib()
    with bed.hold(load.number):
        after = bed.memory_kib()
    return {"session_kib": (after - before) / load.number, "process_mib": before / 1024}


START = Load(
    "start",
    "start",
    "start to first byte through",
    ("start_ms",),
    start,
    _REDIS,
    topologies=("shared",),
    takes=_is_between,
    number=_STARTS,
)
IDLE = Load(
    "idle",
    "idle",
    "5,000 idle sessions",
    ("session_kib", "process_mib"),
    idle,
    _REDIS,
    topologies=("shared",),
    takes=_is_between,
    descriptors=10500,
    most_rounds=3,
    number=5000,
    weight=3,
)
