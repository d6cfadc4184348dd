"""Counts what is known of a session only when it has ended: half a microsecond each."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ambassador.metrics.table import METRICS
from ambassador.model import Reason
from ambassador.ports import SessionRecord

__all__ = ["Ended", "Histogram", "Times"]


@dataclass(slots=True)
class Histogram:
    """How many values lie at or below each of `bounds`, and above the last."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def copy(self) -> Histogram:
        """Return one that does not change with this one."""
        return Histogram(self.bounds, list(self.counts), self.total)


def _histogram(name: str) -> Histogram:
    return Histogram(METRICS[name].buckets)


@dataclass(slots=True)
class Times:
    """What is counted of one route."""

    connect: Histogram = field(default_factory=lambda: _histogram("ambassador_connect_seconds"))
    session: Histogram = field(default_factory=lambda: _histogram("ambassador_session_seconds"))
    in_kernel: Counter[Reason] = field(default_factory=Counter)


class Ended:
    """Hears of each session that has ended; implements ports.Closed."""

    def __init__(self) -> None:
        self._routes: dict[str, Times] = {}

    def __call__(self, record: SessionRecord) -> None:
        """Count one session."""
        times = self._routes.get(record.route)
        if times is None:
            times = self._routes[record.route] = Times()
        times.session.add(record.total)
        if record.plane == "kernel":
            times.in_kernel[record.reason] += 1
        elif record.address:
            times.connect.add(record.connect)

    def of(self, routes: Collection[str]) -> Mapping[str, Times]:
        """Return what is known of `routes` now; what is known of others is forgotten."""
        for gone in self._routes.keys() - set(routes):
            del self._routes[gone]
        return {
            name: Times(known.connect.copy(), known.session.copy(), Counter(known.in_kernel))
            for name in routes
            if (known := self._routes.get(name) or Times())
        }
