"""Counts sessions that have ended, by duration and reason: half a microsecond for each."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from ambassador.model import Reason
from ambassador.ports import RouteStatus, SessionRecord
from ambassador.telemetry.metrics import METRICS

if TYPE_CHECKING:
    from ambassador.core.results import Counted, NumbersView

__all__ = ["Durations", "Histogram", "Times"]


@dataclass(slots=True)
class Histogram:
    """How many values are in each bucket: up to each of `bounds`, and above the last."""

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
        """Return a copy that does not change with this one."""
        return Histogram(self.bounds, list(self.counts), self.total)


def _histogram(name: str) -> Histogram:
    return Histogram(METRICS[name].buckets)


@dataclass(slots=True)
class Times:
    """The counts of one route."""

    connecting: Histogram = field(default_factory=lambda: _histogram("ambassador_connect_seconds"))
    session: Histogram = field(default_factory=lambda: _histogram("ambassador_session_seconds"))
    in_kernel: Counter[Reason] = field(default_factory=Counter)

    def counters(self) -> dict[str, float]:
        """Return the counts by name, so that another process can go on with them."""
        found: dict[str, float] = {}
        for word, histogram in (("connect", self.connecting), ("session", self.session)):
            for bound, number in zip((*histogram.bounds, inf), histogram.counts, strict=True):
                found[f"{word} {bound:g}"] = number
            found[f"{word} total"] = histogram.total
        return found | {f"in_kernel {reason}": number for reason, number in self.in_kernel.items()}

    def add(self, counters: Mapping[str, float]) -> None:
        """Add the counts that another `Times` returned by `counters`; unknown names are ignored."""
        for word, histogram in (("connect", self.connecting), ("session", self.session)):
            for place, bound in enumerate((*histogram.bounds, inf)):
                histogram.counts[place] += int(counters.get(f"{word} {bound:g}", 0))
            histogram.total += counters.get(f"{word} total", 0)
        for reason in Reason:
            if number := int(counters.get(f"in_kernel {reason}", 0)):
                self.in_kernel[reason] += number


class Durations:
    """Counts each session that has ended; implements ports.SessionEnded."""

    def __init__(self) -> None:
        self._routes: dict[str, Times] = {}

    def __call__(self, record: SessionRecord) -> None:
        """Count one session."""
        times = self._routes.get(record.route)
        if times is None:
            times = self._routes[record.route] = Times()
        session = times.session  # not by its `add`, to save a call for each session
        session.counts[bisect_left(session.bounds, record.total)] += 1
        session.total += record.total
        if record.plane == "kernel":
            times.in_kernel[record.reason] += 1
        elif record.address:
            connecting, after = times.connecting, record.connected_after
            connecting.counts[bisect_left(connecting.bounds, after)] += 1
            connecting.total += after

    def add(self, route: str, connects: Sequence[float], totals: Sequence[float]) -> None:
        """Count sessions of the relay; implements ports.SessionsSummed."""
        times = self._routes.setdefault(route, Times())
        for value in connects:
            times.connecting.add(value)
        for value in totals:
            times.session.add(value)

    def forget(self, route: str) -> None:
        """Count `route` from zero: it was removed, or another route has this name now."""
        self._routes.pop(route, None)

    def counters(self, route: str) -> dict[str, float]:
        """Return the counts of `route` by name, as `Times.add` takes them."""
        times = self._routes.get(route)
        return {} if times is None else times.counters()

    def keep_only(self, routes: Collection[str]) -> None:
        """Forget the counts of all other routes."""
        for gone in self._routes.keys() - routes:
            del self._routes[gone]

    def numbers(self, status: RouteStatus) -> NumbersView:
        """Return the counts of the route of `status`, together with those in `status`."""
        from ambassador.core.results import Bucket, NumbersView  # noqa: PLC0415 (when asked for)

        times = self.of(status.route.name)
        bounds = (*times.connecting.bounds, None)
        ended = Counter(status.closed) + times.in_kernel
        return NumbersView(
            status.route.name,
            status.opened,
            status.refused,
            status.held_total,
            status.to_upstream,
            status.to_client,
            _counted(ended),
            _counted(status.turned_away),
            tuple(map(Bucket, bounds, times.connecting.counts)),
        )

    def of(self, route: str) -> Times:
        """Return a copy of the counts of `route`."""
        known = self._routes.get(route)
        if known is None:
            return Times()
        return Times(known.connecting.copy(), known.session.copy(), Counter(known.in_kernel))


def _counted(numbers: Mapping[Reason, int]) -> tuple[Counted, ...]:
    from ambassador.core.results import Counted  # noqa: PLC0415 (when asked for)

    return tuple(Counted(reason.value, count) for reason, count in sorted(numbers.items()))
