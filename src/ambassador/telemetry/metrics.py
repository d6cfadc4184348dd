"""The table of all metrics: name, kind, labels and meaning. docs/metrics.md is made from it. Pure.

Labels come from routes and endpoints, never from clients, so that their number is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["METRICS", "Kind", "Metric", "as_markdown"]


class Kind(StrEnum):
    """How Prometheus reads a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One row. Times in seconds, sizes in bytes. `buckets` are upper bounds, without infinity."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


_CONNECT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SESSION = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 86400.0)

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("ambassador_build_info", Kind.GAUGE, ("version", "python"), "always 1"),
        Metric("ambassador_ready", Kind.GAUGE, (), "1 while clients are taken, else 0"),
        Metric(
            "ambassador_reload_successful",
            Kind.GAUGE,
            (),
            "1 when the sources, and the files of the identity, were read without an error the "
            "last time, else 0",
        ),
        Metric(
            "ambassador_reload_last_success_timestamp_seconds",
            Kind.GAUGE,
            (),
            "when the sources were last read without an error, in seconds since 1970",
        ),
        Metric(
            "ambassador_workers",
            Kind.GAUGE,
            (),
            "worker processes of the relay, which accept, connect and carry beside the first one",
        ),
        Metric(
            "ambassador_buffered_bytes",
            Kind.GAUGE,
            (),
            "bytes that sessions of the relay hold for slow readers",
        ),
        Metric(
            "ambassador_buffered_limit_bytes",
            Kind.GAUGE,
            (),
            "bytes that all sessions of the relay may hold together (`AMBASSADOR_MEMORY`)",
        ),
        Metric(
            "ambassador_log_lines_dropped_total",
            Kind.COUNTER,
            (),
            "lines of the log that were dropped: its reader was too slow, or they could not be "
            "written",
        ),
        Metric(
            "ambassador_certificate_expires_seconds",
            Kind.GAUGE,
            ("identity",),
            "seconds until the certificate in use expires (`AMBASSADOR_IDENTITY`); negative "
            "afterwards",
        ),
        Metric(
            "ambassador_source_ports_short_total",
            Kind.COUNTER,
            (),
            "connections and UDP flows of the relay for which the kernel had no free source port "
            "(`status` names the place); not a failure of the endpoint",
        ),
        Metric(
            "ambassador_route_info",
            Kind.GAUGE,
            ("route", "proto", "listen", "plane"),
            "always 1; `plane` is the plane of new sessions",
        ),
        Metric(
            "ambassador_sessions_opened_total",
            Kind.COUNTER,
            ("route",),
            "sessions that have begun, in all planes, since the route was added",
        ),
        Metric("ambassador_sessions_open", Kind.GAUGE, ("route",), "sessions that are open now"),
        Metric(
            "ambassador_sessions_closed_total",
            Kind.COUNTER,
            ("route", "reason"),
            "sessions that have ended, by reason; in the kernel plane `unknown` if ends are not "
            "watched, and `reset` for a reset by either side",
        ),
        Metric(
            "ambassador_sessions_refused_total",
            Kind.COUNTER,
            ("route",),
            "sessions that found no endpoint or were turned away, and held sessions beyond the "
            "limit or timeout of a hold",
        ),
        Metric(
            "ambassador_clients_turned_away_total",
            Kind.COUNTER,
            ("route", "reason"),
            "clients that were turned away, which are among the refused: `denied` (their address "
            "may not come in), `limit`, `limit_client`, `rate`, `banned`, "
            "`handshake` (TLS failed), `identity` (their identity may not come in), and for their "
            "PROXY header `proxy_sender`, `proxy_malformed`, `proxy_long`, `proxy_crc`, "
            "`proxy_cut`, `proxy_slow`",
        ),
        Metric(
            "ambassador_sessions_held", Kind.GAUGE, ("route",), "sessions that wait in a hold now"
        ),
        Metric(
            "ambassador_sessions_ever_held_total",
            Kind.COUNTER,
            ("route",),
            "sessions that have waited in a hold",
        ),
        Metric(
            "ambassador_ways_out_total",
            Kind.COUNTER,
            ("route", "kind"),
            "how often an address, or all of one family, got no new sessions from the kernel: "
            "`unreachable`, `firewall`, `guarded`, `forwarding`, `lost` (the log says why)",
        ),
        Metric(
            "ambassador_bytes_total",
            Kind.COUNTER,
            ("route", "flow"),
            "bytes `to_upstream` and `to_client`; in the kernel with the headers of packets",
        ),
        Metric(
            "ambassador_connect_seconds",
            Kind.HISTOGRAM,
            ("route",),
            "time from accepting the client to the connection to its endpoint, for ended sessions "
            "of the relay",
            _CONNECT,
        ),
        Metric(
            "ambassador_session_seconds",
            Kind.HISTOGRAM,
            ("route",),
            "time ended sessions were open; sessions in the kernel only with an access log",
            _SESSION,
        ),
        Metric(
            "ambassador_endpoint_sessions_open",
            Kind.GAUGE,
            ("route", "endpoint"),
            "sessions that are open now",
        ),
        Metric(
            "ambassador_endpoint_sessions_opened_total",
            Kind.COUNTER,
            ("route", "endpoint"),
            "sessions of the relay that were connected to the endpoint",
        ),
        Metric(
            "ambassador_endpoint_bytes_total",
            Kind.COUNTER,
            ("route", "endpoint", "flow"),
            "bytes of sessions of the relay; `flow` is to_upstream or to_client",
        ),
        Metric(
            "ambassador_endpoint_failures_total",
            Kind.COUNTER,
            ("route", "endpoint"),
            "how often the endpoint could not be reached for a client",
        ),
        Metric(
            "ambassador_endpoint_usable",
            Kind.GAUGE,
            ("route", "endpoint"),
            "1 while the endpoint gets new sessions and they reach it, else 0",
        ),
        Metric(
            "ambassador_endpoint_health",
            Kind.GAUGE,
            ("route", "endpoint", "health"),
            "1 for the health that probes have found, 0 for the others: unknown, healthy, "
            "unhealthy",
        ),
        Metric(
            "ambassador_primary_changes_total",
            Kind.COUNTER,
            ("route", "cause"),
            "how often clients of a route that follows a primary were led to another one, by cause",
        ),
        Metric(
            "ambassador_primary_since_timestamp_seconds",
            Kind.GAUGE,
            ("route",),
            "since when clients are led to the present primary, in seconds since 1970",
        ),
        Metric(
            "ambassador_authority_members",
            Kind.GAUGE,
            ("route",),
            "how many members of the authority are asked which member of the store is the primary",
        ),
        Metric(
            "ambassador_authority_members_answering",
            Kind.GAUGE,
            ("route",),
            "how many members of the authority answer",
        ),
        Metric(
            "ambassador_endpoint_admin",
            Kind.GAUGE,
            ("route", "endpoint", "admin"),
            "1 for the state that the operator has set, 0 for the others: ready, drain, maint",
        ),
        Metric(
            "ambassador_conntrack_entries",
            Kind.GAUGE,
            (),
            "entries of the kernel's connection tracking in this network namespace, of all "
            "programs; this metric and the next are only there if the kernel shows them",
        ),
        Metric(
            "ambassador_conntrack_limit",
            Kind.GAUGE,
            (),
            "how many entries there can be; when the table is full, new connections get no answer",
        ),
        Metric("process_cpu_seconds_total", Kind.COUNTER, (), "user and system time"),
        Metric("process_max_fds", Kind.GAUGE, (), "descriptors that may be open"),
        Metric("process_open_fds", Kind.GAUGE, (), "descriptors that are open"),
        Metric("process_resident_memory_bytes", Kind.GAUGE, (), "memory in use"),
        Metric("process_start_time_seconds", Kind.GAUGE, (), "start, in seconds since 1970"),
        Metric("process_virtual_memory_bytes", Kind.GAUGE, (), "address space"),
    )
}


_ACCESS_LOG = """
## The access log

Metrics have no data of single clients, because the number of clients has no limit. The
access log has: `AMBASSADOR_ACCESS_LOG=/var/log/ambassador/access.log` (or `-` for stdout)
has one JSON line for each session that has ended: `time` of the end, `id` (as
`ambassador sessions` shows it), `route`, `proto`, `client`, `endpoint` as it is written
and its `address`, `plane`, bytes `to_upstream` and `to_client`, seconds to `connect` and
in `total`, `by` which side it was ended (`client`, `upstream`, `ambassador`) and the
`reason`, which is also a label of `ambassador_sessions_closed_total`. A value that is not
known is `null` or `unknown`.

A connection in the kernel that was reset has the reason `reset`, and `by` is `unknown`:
conntrack does not tell which side it was. A UDP flow in the kernel gets its line when
conntrack forgets it. A thread writes the lines; lines that cannot be written are dropped
and counted, and the log says so. SIGHUP opens the file again.
"""


def as_markdown() -> str:
    """Return the page docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "For Prometheus, at `/metrics` of the admin socket and, with",
        "`AMBASSADOR_METRICS=:9464`, over TCP for every client, without a token. When a route is",
        "removed, its numbers are gone. The labels `route` and `endpoint` are the same as in",
        "`ambassador status`. Counting takes half a microsecond for each session that ends, and",
        "nothing for a byte. `process_...` are of the first process only, without the worker",
        "processes that `ambassador_workers` counts.",
        "",
        "| metric | kind | labels | meaning |",
        "|---|---|---|---|",
    ]
    for metric in METRICS.values():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join([*lines, _ACCESS_LOG])
