"""Make the text for Prometheus: in slices on the event loop, since for 3,000 routes it has 8 MB."""

from __future__ import annotations

import asyncio
import platform
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ambassador import __version__
from ambassador.core.describe import describe_listen
from ambassador.core.usable import usable
from ambassador.garbage import none_collected
from ambassador.model import Admin, Endpoint, Health, Reason
from ambassador.ports import EndpointMet, RouteStatus
from ambassador.spec import format_endpoint
from ambassador.tasks import Slice
from ambassador.telemetry import process
from ambassador.telemetry.durations import Durations, Times
from ambassador.telemetry.exposition import Page, labelled

if TYPE_CHECKING:
    from ambassador.core.results import FollowView, IdentityView, SourceView

__all__ = ["Facts", "MetricsText"]

_NOTHING_MET = EndpointMet()


@dataclass(frozen=True, slots=True)
class Facts:
    """What the metrics are made from, at one moment."""

    ready: bool
    routes: Sequence[RouteStatus]
    sources: Sequence[SourceView]
    # Counts of earlier processes, by the name of the route; see Times.add.
    before: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    workers: int = 0  # worker processes that carry sessions beside this process
    buffered: tuple[int, int] = (0, 0)  # bytes that sessions hold, and how many they may hold
    dropped: int = 0  # lines of the log
    conntrack: tuple[int, int] | None = None  # entries, and how many there can be
    missed: int = 0  # how often no source port was free
    followed: Mapping[str, FollowView] = field(default_factory=dict)  # by the name of the route
    identity: IdentityView | None = None  # our identity over TLS


class MetricsText:
    """Makes the text; `facts` is called on the loop."""

    def __init__(self, facts: Callable[[], Awaitable[Facts]], ended: Durations) -> None:
        self._facts = facts
        self._ended = ended
        self._unwatched: Counter[str] = Counter()

    async def __call__(self) -> Sequence[bytes]:
        """Return the text of this moment in pieces; the caller updates the numbers before."""
        # In a thread: with many descriptors this takes long.
        ours = await asyncio.to_thread(process.read)
        with none_collected():
            return await self._made(ours)

    async def _made(self, ours: Mapping[str, float]) -> Sequence[bytes]:
        facts, page, piece = await self._facts(), Page(), Slice()
        self._ended.keep_only({status.route.name for status in facts.routes})
        times: dict[str, Times] = {}
        for status in facts.routes:
            times[status.route.name] = self._ended.of(status.route.name)
            await piece.end()
        for name, counters in facts.before.items():
            times[name].add(counters)
            await piece.end()
        for name in self._unwatched.keys() - times.keys():
            del self._unwatched[name]
        _add_whole(page, facts)
        for name, value in ours.items():
            page.add(name, value)
        for status in facts.routes:
            name = status.route.name
            left = status.opened - status.open - sum(status.closed.values())
            left -= sum(times[name].in_kernel.values())
            # The kernel's numbers are not all of one moment, and a counter must not go down.
            self._unwatched[name] = max(left, self._unwatched[name])
            _add_route(page, status, times[name], self._unwatched[name])
            await piece.end()
        pieces = []
        for text in page.pieces():
            pieces.append(text)
            await piece.end()
        return pieces


def _add_whole(page: Page, facts: Facts) -> None:
    add = page.add
    build = labelled(python=platform.python_version(), version=__version__)
    add("ambassador_build_info", 1, build)
    add("ambassador_ready", facts.ready)
    good = all(not source.error for source in facts.sources)
    good = good and not (facts.identity is not None and facts.identity.error)
    add("ambassador_reload_successful", good)
    read = max((source.read for source in facts.sources if not source.error), default=0.0)
    add("ambassador_reload_last_success_timestamp_seconds", read)
    add("ambassador_workers", facts.workers)
    add("ambassador_buffered_bytes", facts.buffered[0])
    add("ambassador_buffered_limit_bytes", facts.buffered[1])
    add("ambassador_log_lines_dropped_total", facts.dropped)
    if facts.identity is not None and facts.identity.expires:
        who = labelled(identity=facts.identity.names[0] if facts.identity.names else "")
        left = round(facts.identity.expires - time.time(), 3)
        add("ambassador_certificate_expires_seconds", left, who)
    add("ambassador_source_ports_short_total", facts.missed)
    if facts.conntrack is not None:
        for word, value in zip(("entries", "limit"), facts.conntrack, strict=True):
            add(f"ambassador_conntrack_{word}", value)
    for name, view in facts.followed.items():
        route = labelled(route=name)
        for one in view.changes:
            cause = f"{labelled(cause=one.cause)},{route}"
            add("ambassador_primary_changes_total", one.count, cause)
        if view.since:
            add("ambassador_primary_since_timestamp_seconds", view.since, route)
        add("ambassador_authority_members", view.members, route)
        add("ambassador_authority_members_answering", view.answering, route)


def _add_route(page: Page, status: RouteStatus, times: Times, unwatched: int) -> None:
    add, route, name = page.add, status.route, labelled(route=status.route.name)
    proto, listen, plane = str(route.proto), describe_listen(route), status.plane
    info = labelled(listen=listen, plane=plane, proto=proto, route=route.name)
    add("ambassador_route_info", 1, info)
    add("ambassador_sessions_opened_total", status.opened, name)
    add("ambassador_sessions_open", status.open, name)
    closed = Counter(status.closed) + times.in_kernel + Counter({Reason.UNKNOWN: unwatched})
    for reason, count in sorted(closed.items()):
        add("ambassador_sessions_closed_total", count, f'reason="{reason.value}",{name}')
    add("ambassador_sessions_refused_total", status.refused, name)
    for reason, count in sorted(status.turned_away.items()):
        add("ambassador_clients_turned_away_total", count, f'reason="{reason.value}",{name}')
    add("ambassador_sessions_held", status.held, name)
    add("ambassador_sessions_ever_held_total", status.held_total, name)
    for kind, count in sorted(status.ways_out.items()):
        add("ambassador_ways_out_total", count, f'kind="{kind}",{name}')
    add("ambassador_bytes_total", status.to_upstream, f'flow="to_upstream",{name}')
    add("ambassador_bytes_total", status.to_client, f'flow="to_client",{name}')
    for metric, values in (
        ("ambassador_connect_seconds", times.connecting),
        ("ambassador_session_seconds", times.session),
    ):
        page.add_histogram(metric, values.counts, values.total, name)
    for endpoint in route.endpoints:
        _add_endpoint(page, status, endpoint, name)


def _add_endpoint(page: Page, status: RouteStatus, endpoint: Endpoint, name: str) -> None:
    add, where = page.add, labelled(endpoint=format_endpoint(endpoint))
    labels = f"{where},{name}"
    sessions = status.open_by_endpoint.get(endpoint.address, 0)
    met = status.met.get(endpoint.address, _NOTHING_MET)
    add("ambassador_endpoint_sessions_open", sessions, labels)
    add("ambassador_endpoint_sessions_opened_total", met.opened, labels)
    add("ambassador_endpoint_bytes_total", met.to_upstream, f'{where},flow="to_upstream",{name}')
    add("ambassador_endpoint_bytes_total", met.to_client, f'{where},flow="to_client",{name}')
    add("ambassador_endpoint_failures_total", met.failures, labels)
    add("ambassador_endpoint_usable", usable(endpoint) and not met.failing, labels)
    for health in Health:
        said = f'{where},health="{health.value}",{name}'
        add("ambassador_endpoint_health", endpoint.health is health, said)
    for admin in Admin:
        said = f'admin="{admin.value}",{labels}'
        add("ambassador_endpoint_admin", endpoint.admin is admin, said)
