"""What is seen without load, and right after: start, first connections, memory of idle sessions."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from statistics import median, quantiles

from bench.bed import Bed, ask
from bench.errors import Missing
from bench.loads.load import Load, Pace
from bench.peers.peer import Peer

__all__ = ["FIRST", "IDLE", "START"]

_STARTS = 3
_SETTLED = 80.0  # seconds for processes to end that were started to open sessions
_LOOK = 0.1
_EVERY = 0.001  # seconds between two of the first connections
_REDIS = (("redis-server", "redis-server"),)


def _is_between(peer: Peer) -> bool:
    return peer.name != "direct"


def start(load: Load, bed: Bed, _pace: Pace) -> Mapping[str, float]:
    """Start the peer anew `load.number` times; return the median to a first byte through."""
    return {"start_ms": median(bed.start_anew() for _ in range(load.number)) * 1000}


def idle(load: Load, bed: Bed, _pace: Pace) -> Mapping[str, float]:
    """Open `load.number` sessions, each used once; return what one costs the peer in memory, right
    after and once processes are gone that the peer had started to open them.

    In a fresh process: memory that an earlier load left behind would be used again, unseen.
    """
    bed.start_anew()
    before, processes = bed.memory_kib(), len(bed.processes())
    with bed.hold(load.number):
        opened = bed.memory_kib()
        deadline = time.monotonic() + (0 if bed.peer.process_a_session else _SETTLED)
        while len(bed.processes()) > processes and time.monotonic() < deadline:
            time.sleep(_LOOK)
        after = bed.memory_kib()
    return {
        "session_kib": (after - before) / load.number,
        "opened_kib": (opened - before) / load.number,
        "process_mib": before / 1024,
    }


def first(load: Load, bed: Bed, _pace: Pace) -> Mapping[str, float]:
    """Open `load.number` connections to a process at rest, one each millisecond, and keep them;
    return how long the first answers took from the moment they were due.

    So whoever is held up since a go-between has just begun to start something is seen, and those
    behind as well.
    """
    bed.start_anew()
    waits: list[float] = []
    with contextlib.ExitStack() as held:
        began = time.monotonic()
        for number in range(load.number):
            due = began + number * _EVERY
            if (now := time.monotonic()) < due:
                time.sleep(due - now)
                due = time.monotonic()  # how late a sleeper wakes is nobody's fault
            if not ask(held.enter_context(bed.connect())):
                raise Missing(f"connection {number + 1} of {load.number} was closed")
            waits.append((time.monotonic() - due) * 1000)
    hundredths = quantiles(waits, n=100)
    return {"p50_ms": hundredths[49], "p99_ms": hundredths[98]}


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
    ("session_kib", "opened_kib", "process_mib"),
    idle,
    _REDIS,
    topologies=("shared",),
    takes=_is_between,
    descriptors=10500,
    most_rounds=1,  # steady to a hundredth, and it waits a minute
    number=5000,
    weight=3,
)
FIRST = Load(
    "first",
    "first",
    "the first 300 connections after idling, one each millisecond",
    ("p50_ms", "p99_ms"),
    first,
    _REDIS,
    topologies=("shared",),
    takes=_is_between,
    number=300,
    turns=2,
    weight=0.7,
)
