"""From what is known to the text Prometheus reads.

`prometheus_client` is imported by the first who asks (70 ms, in a thread), and the text is made in
a thread too: of 5,000 routes it is megabytes.
"""

from __future__ import annotations

import asyncio
import platform
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ambassador import __version__
from ambassador.core.describe import describe_listen
from ambassador.core.results import FollowView, SourceView
from ambassador.core.usable import usable
from ambassador.garbage import none_collected
from ambassador.model import Admin, Health, Reason
from ambassador.ports import EndpointMet, RouteStatus
from ambassador.spec import format_endpoint
from ambassador.tasks import Slice
from ambassador.telemetry.durations import Durations, Histogram, Times
from ambassador.telemetry.metrics import METRICS, Kind

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["Facts", "MetricsText", "Sample", "samples"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at one moment."""

    ready: bool
    routes: Sequence[RouteStatus]
    sources: Sequence[SourceView]
    # What processes before this one knew, by the name of the route; see Times.add.
    before: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    workers: int = 0  # processes that carry sessions beside this one
    buffered: tuple[int, int] = (0, 0)  # bytes sessions hold unsent, and how many they may
    dropped: int = 0  # lines of the log
    conntrack: tuple[int, int] | None = None  # entries, and how many there can be
    missed: int = 0  # source ports
    followed: Mapping[str, FollowView] = field(default_factory=dict)  # by the name of the route


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of the metric `name`; the labels in the order of the table."""

    name: str
    labels: tuple[str, ...]
    value: float | Histogram


class MetricsText:
    """Makes the text; `facts` is called on the loop."""

    def __init__(self, facts: Callable[[], Awaitable[Facts]], ended: Durations) -> None:
        self._facts = facts
        self._ended = ended
        self._unwatched: Counter[str] = Counter()

    async def __call__(self) -> bytes:
        """Return the text of this moment; whoever asks has brought the numbers up to date."""
        with none_collected():
            return await self._made()

    async def _made(self) -> bytes:
        facts = await self._facts()
        piece = Slice()
        self._ended.keep_only({status.route.name for status in facts.routes})
        times: dict[str, Times] = {}
        for status in facts.routes:
            times[status.route.name] = self._ended.of(status.route.name)
            await piece.end()
        for name, counters in facts.before.items():
            times[name].add(counters)
        for name in self._unwatched.keys() - times.keys():
            del self._unwatched[name]
        for status in facts.routes:
            name = status.route.name
            left = status.opened - status.open - sum(status.closed.values())
            left -= sum(times[name].in_kernel.values())
            # The numbers of the kernel are not all of one moment, and a counter never sinks.
            self._unwatched[name] = max(left, self._unwatched[name])
            await piece.end()
        unwatched = dict(self._unwatched)  # which this loop may change meanwhile
        return await asyncio.to_thread(lambda: _text(list(samples(facts, times, unwatched))))


def samples(
    facts: Facts, times: Mapping[str, Times], unwatched: Mapping[str, int]
) -> Iterator[Sample]:
    """Yield every value but those of the process. `unwatched` sessions have ended, by route, and
    nobody knows why.
    """
    yield Sample("ambassador_build_info", (__version__, platform.python_version()), 1)
    yield Sample("ambassador_ready", (), facts.ready)
    good = all(not source.error for source in facts.sources)
    yield Sample("ambassador_reload_successful", (), good)
    read = max((source.read for source in facts.sources if not source.error), default=0.0)
    yield Sample("ambassador_reload_last_success_timestamp_seconds", (), read)
    yield Sample("ambassador_workers", (), facts.workers)
    yield Sample("ambassador_buffered_bytes", (), facts.buffered[0])
    yield Sample("ambassador_buffered_limit_bytes", (), facts.buffered[1])
    yield Sample("ambassador_log_lines_dropped_total", (), facts.dropped)
    yield Sample("ambassador_source_ports_short_total", (), facts.missed)
    if facts.conntrack is not None:
        for word, value in zip(("entries", "limit"), facts.conntrack, strict=True):
            yield Sample(f"ambassador_conntrack_{word}", (), value)
    for name, view in facts.followed.items():
        yield from _of_followed(name, view)
    for status in facts.routes:
        name = status.route.name
        yield from _of_route(status, times[name], unwatched.get(name, 0))


def _of_followed(name: str, view: FollowView) -> Iterator[Sample]:
    for one in view.changes:
        yield Sample("ambassador_primary_changes_total", (name, one.cause), one.count)
    if view.since:
        yield Sample("ambassador_primary_since_timestamp_seconds", (name,), view.since)
    yield Sample("ambassador_authority_members", (name,), view.members)
    yield Sample("ambassador_authority_members_answering", (name,), view.answering)


def _of_route(status: RouteStatus, times: Times, unwatched: int) -> Iterator[Sample]:
    route = status.route
    name = (route.name,)
    yield Sample(
        "ambassador_route_info",
        (route.name, str(route.proto), describe_listen(route), status.plane),
        1,
    )
    yield Sample("ambassador_sessions_opened_total", name, status.opened)
    yield Sample("ambassador_sessions_open", name, status.open)
    closed = Counter(status.closed) + times.in_kernel + Counter({Reason.UNKNOWN: unwatched})
    for reason, count in sorted(closed.items()):
        yield Sample("ambassador_sessions_closed_total", (*name, reason.value), count)
    yield Sample("ambassador_sessions_refused_total", name, status.refused)
    yield Sample("ambassador_sessions_held", name, status.held)
    yield Sample("ambassador_sessions_ever_held_total", name, status.held_total)
    for kind, count in sorted(status.ways_out.items()):
        yield Sample("ambassador_ways_out_total", (*name, kind), count)
    yield Sample("ambassador_bytes_total", (*name, "to_upstream"), status.to_upstream)
    yield Sample("ambassador_bytes_total", (*name, "to_client"), status.to_client)
    yield Sample("ambassador_connect_seconds", name, times.connecting)
    yield Sample("ambassador_session_seconds", name, times.session)
    for endpoint in route.endpoints:
        labels = (route.name, format_endpoint(endpoint))
        sessions = status.open_by_endpoint.get(endpoint.address, 0)
        yield Sample("ambassador_endpoint_sessions_open", labels, sessions)
        met = status.met.get(endpoint.address, EndpointMet())
        yield Sample("ambassador_endpoint_sessions_opened_total", labels, met.opened)
        yield Sample("ambassador_endpoint_bytes_total", (*labels, "to_upstream"), met.to_upstream)
        yield Sample("ambassador_endpoint_bytes_total", (*labels, "to_client"), met.to_client)
        yield Sample("ambassador_endpoint_failures_total", labels, met.failures)
        yield Sample("ambassador_endpoint_usable", labels, usable(endpoint) and not met.failing)
        for health in Health:
            value = endpoint.health is health
            yield Sample("ambassador_endpoint_health", (*labels, health.value), value)
        for admin in Admin:
            value = endpoint.admin is admin
            yield Sample("ambassador_endpoint_admin", (*labels, admin.value), value)


def _text(found: Sequence[Sample]) -> bytes:
    from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415
    from prometheus_client.exposition import generate_latest  # noqa: PLC0415
    from prometheus_client.metrics_core import (  # noqa: PLC0415
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    kinds = {
        Kind.COUNTER: CounterMetricFamily,
        Kind.GAUGE: GaugeMetricFamily,
        Kind.HISTOGRAM: HistogramMetricFamily,
    }
    families = {
        name: kinds[metric.kind](name, metric.help, labels=metric.labels)
        for name, metric in METRICS.items()
        if not name.startswith("process_")
    }
    for sample in found:
        value = sample.value
        if isinstance(value, Histogram):
            families[sample.name].add_metric(sample.labels, _buckets(value), value.total)
        else:
            families[sample.name].add_metric(sample.labels, float(value))

    # One after the other: to join the lines of all is one step, in which no session has its turn.
    texts = [_lines(family) for family in families.values()]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return b"".join([*texts, generate_latest(registry)])


def _lines(family: Metric) -> bytes:
    from prometheus_client.exposition import generate_latest  # noqa: PLC0415

    class Collected:
        def collect(self) -> Iterable[Metric]:
            return (family,)

    text: bytes = generate_latest(Collected())
    return text


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    below = 0
    buckets = []
    for bound, count in zip((*histogram.bounds, "+Inf"), histogram.counts, strict=True):
        below += count
        buckets.append((str(bound), float(below)))
    return buckets
