"""Bulk through iperf3: as many bytes as go, in one direction, for a time."""

from __future__ import annotations

import math
from collections.abc import Mapping

from bench.bed import IPERF, Bed
from bench.loads.load import Load, Pace
from bench.parse import parse_iperf3

__all__ = ["BULK"]


def run(load: Load, bed: Bed, pace: Pace) -> Mapping[str, float]:
    """Send for `pace.seconds`; return Gbit/s as received, and the peer's cost a GB."""
    host, port = bed.address(IPERF)
    seconds = max(1, math.ceil(pace.seconds))  # iperf3 counts in whole ones
    command = ["iperf3", "--client", host, "--port", str(port), "--json"]
    command += ["--time", str(seconds), "--parallel", str(load.number)]
    timed = bed.client(command, seconds + 20, ok=(0, 1))  # 1: the JSON says why
    values = parse_iperf3(timed.output)
    gigabytes = values.pop("gigabytes")
    if bed.peer.name != "direct":
        values["cpu_s_gb"] = timed.cpu_seconds / gigabytes
        values["cpu_share"] = timed.cpu_seconds / timed.seconds * 100
    return values


BULK = tuple(
    Load(
        f"bulk{number}",
        "bulk",
        f"bulk, {number} stream{'s' * (number > 1)}",
        ("gbit", "cpu_s_gb", "cpu_share"),
        run,
        (("iperf3", "iperf3"),),
        number=number,
        weight=1.3,
    )
    for number in (1, 8)
)
