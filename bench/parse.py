"""Read what the clients' tools print. Pure."""

from __future__ import annotations

import csv
import io
import json

from bench.errors import Missing

__all__ = ["parse_iperf3", "parse_redis_csv"]


def parse_redis_csv(text: str, count: int) -> dict[str, float]:
    """Return requests a second and latencies in ms from `redis-benchmark --csv -n COUNT`, whose
    clock has milliseconds: what took none of them has a rate without end, and counts as one.

    Before the table it may warn, and of several tests the last one counts. Raises Missing.
    """
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith('"test"')]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines[starts[-1] :])))) if starts else []
    if not rows:
        raise Missing(f"redis-benchmark printed no figures: {' '.join(lines[-1:])[:100]!r}")
    row = rows[-1]
    return {
        "rate": min(float(row["rps"]), count * 1000.0),
        "p50_ms": float(row["p50_latency_ms"]),
        "p99_ms": float(row["p99_latency_ms"]),
    }


def parse_iperf3(text: str) -> dict[str, float]:
    """Return Gbit a second and GB as received, from `iperf3 --json`. Raises Missing."""
    try:
        report = json.loads(text)
    except ValueError:
        raise Missing("iperf3 printed no JSON") from None
    if error := report.get("error"):
        raise Missing(f"iperf3: {error}")
    received = report["end"]["sum_received"]
    if not received["bytes"]:
        raise Missing("iperf3: nothing arrived")
    return {
        "gbit": received["bits_per_second"] / 1e9,
        "gigabytes": received["bytes"] / 1e9,
    }
