"""What was measured, as a page. Pure but for the machine's name and the day."""

from __future__ import annotations

import os
import platform
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

__all__ = ["LOADS", "OURS", "page"]

OURS = "ambassador"
# Of each load its words, and of each figure its key, its unit, whether more is better, and what it
# is to reach over the best of the others; none where it is only shown.
LOADS: Mapping[str, tuple[str, Sequence[tuple[str, str, bool, float | None]]]] = {
    "get50": (
        "GET, 50 connections",
        (
            ("rate", "requests/s", True, 1.0),
            ("p99_ms", "p99 ms", False, 1.1),
            ("cpu_us", "CPU us a request", False, 1.1),
        ),
    ),
    "p16": (
        "GET, 50 connections, pipeline 16",
        (("rate", "requests/s", True, 0.95), ("cpu_us", "CPU us a request", False, None)),
    ),
    "full": (
        "a new connection for each GET, 20 at once, full handshakes on the hop",
        (("rate", "connections/s", True, 0.95), ("cpu_us", "CPU us each", False, None)),
    ),
    "new": (
        "the same with resumption",
        (("rate", "connections/s", True, 1.0), ("cpu_us", "CPU us each", False, None)),
    ),
    "bulk": (
        "bulk, 1 stream",
        (("gbit", "Gbit/s", True, 1.0), ("cpu_s_gb", "CPU s a GB", False, None)),
    ),
    "idle": ("1,000 idle sessions, one hop", (("session_kib", "KiB each", False, 1.0),)),
}


def page(
    found: Mapping[tuple[str, str], Mapping[str, float]],
    peers: Sequence[str],
    rounds: int,
    load: float,
) -> str:
    """Return the page of the medians `found`, by peer and load."""
    host = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores"
    lines = [
        "# The secret hop, measured",
        "",
        "Written by `./dev bench tls`; not by hand. Two go-betweens of one kind on loopback, one",
        "that speaks TLS to the other; both show a certificate (ECDSA P-256) and look at the",
        "other's, TLS 1.3. Redis and iperf3 behind them, redis-benchmark and iperf3 before them.",
        "HAProxy with `mode tcp` and two threads, stunnel with TCP_NODELAY, else as they come.",
        "Where each handshake is a full one, no side of any makes or takes a ticket.",
        f"{rounds} rounds, in each all of them one after the other; medians. CPU is of both hops.",
        "",
        "Where the load is more than one or two, others had the cores, too: rates and waits say",
        "little then, the CPU of each more.",
        "",
        f"{host}, Python {platform.python_version()}, {ssl.OPENSSL_VERSION}, load {load:.1f} "
        f"before it, {os.getloadavg()[0]:.1f} at its end; {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        "",
        f"| | | {' | '.join(peers)} | over the best of the others | to reach |",
        f"|---|---|{'---:|' * (len(peers) + 2)}",
    ]
    for key, (label, figures) in LOADS.items():
        for number, (name, unit, more, goal) in enumerate(figures):
            values = [found.get((peer, key), {}).get(name) for peer in peers]
            if not any(value is not None for value in values):
                continue
            cells = [_figure(value) for value in values]
            others = [
                v for peer, v in zip(peers, values, strict=True) if peer != OURS and v is not None
            ]
            ours = found.get((OURS, key), {}).get(name)
            ratio = "-"
            if others and ours is not None:
                ratio = f"{ours / (max(others) if more else min(others)):.2f}"
            wanted = "" if goal is None else f"{'at least' if more else 'at most'} {goal:g}"
            first = "" if number else label
            lines.append(f"| {first} | {unit} | {' | '.join(cells)} | {ratio} | {wanted} |")
    return "\n".join(lines) + "\n"


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"
