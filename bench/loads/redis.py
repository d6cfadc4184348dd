"""Redis GET through redis-benchmark: kept connections, one connection, new connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from bench.bed import Bed
from bench.loads.load import Load, Pace
from bench.parse import parse_redis_csv

__all__ = ["CONNECTIONS", "GET", "SESSIONS"]

TOOLS = (("redis-benchmark", "redis-tools"), ("redis-server", "redis-server"))
_BUSY = 50
_FIRST = 40  # requests a connection in the run that finds out how fast it goes
_WARM = 0.1  # of the time of a measurement, before it, so that no peer comes to it cold


def run(
    load: Load, bed: Bed, pace: Pace, *, pipeline: int = 1, keep: bool = True
) -> Mapping[str, float]:
    """Run GETs for about `pace.seconds`; return rate, latencies and the peer's cost."""
    key, seconds = (bed.topology, load.key, bed.peer.name), pace.seconds * load.weight
    host, port = bed.address()
    command = ["redis-benchmark", "-h", host, "-p", str(port), "--csv"]
    options = ["-t", "get", "-c", str(load.number), "-P", str(pipeline), "-k", str(int(keep))]
    within = 20 + 5 * seconds
    # So that GET finds it: the Redis of a new round, or after another start, is empty.
    bed.client([*command, "-t", "set", "-n", "1", "-c", "1"], within)
    if key not in pace.rates:
        first = load.number * (_FIRST if keep else 5)
    else:
        first = max(int(pace.rates[key] * seconds * _WARM), load.number)
    warm = parse_redis_csv(bed.client([*command, *options, "-n", str(first)], within).output)
    # A lost SYN stalls the beginning of a run by 3 s; the next is as long as ever all the same.
    # With new connections it may stall all of it: then the last pace tells how many fit in.
    pace.rates[key] = max(pace.rates.get(key, 0), warm["rate"]) if keep else warm["rate"]
    count = max(int(pace.rates[key] * seconds), 2 * load.number)
    timed = bed.client([*command, *options, "-n", str(count)], within)
    values = parse_redis_csv(timed.output)
    pace.rates[key] = max(pace.rates[key], values["rate"]) if keep else values["rate"]
    if bed.peer.name != "direct":
        values["cpu_us"] = timed.cpu_seconds / count * 1e6
        values["cpu_share"] = timed.cpu_seconds / timed.seconds * 100
    return values


def run_new(load: Load, bed: Bed, pace: Pace) -> Mapping[str, float]:
    """Run GETs with a connection for each."""
    values = dict(run(load, bed, pace, keep=False))
    values["connections"] = values.pop("rate")
    return values


def run_among(load: Load, bed: Bed, pace: Pace) -> Mapping[str, float]:
    """Run GETs on some connections while the others of `load.number` are open and silent.

    Not all busy: redis-benchmark opens 9,000 in 7 s, and the peer's cost of that would be counted.
    """
    busy = min(load.number, _BUSY)
    with bed.hold(load.number - busy):
        return run(replace(load, number=busy), bed, pace)


_METRICS = ("rate", "p50_ms", "p99_ms", "cpu_us", "cpu_share")

GET = (
    # Twice as long as others: a hundredth of its answers has to be many for their p99.
    Load("get50", "get", "GET, 50 connections", _METRICS, run, TOOLS, number=50, weight=2),
    # Half a second, with connections of its own: what a go-between does only after a while is too
    # late here.
    Load(
        "get50short",
        "get",
        "GET, 50 connections, half a second",
        _METRICS,
        run,
        TOOLS,
        number=50,
        weight=1 / 3,
    ),
    Load(
        "get50p16",
        "get",
        "GET, 50 connections, pipeline 16",
        _METRICS,
        partial(run, pipeline=16),
        TOOLS,
        number=50,
    ),
    Load("get1", "get", "GET, 1 connection", _METRICS, run, TOOLS, number=1),
)
CONNECTIONS = (
    Load(
        "connections",
        "connections",
        "a new connection for each GET",
        ("connections", "p50_ms", "p99_ms", "cpu_us"),
        run_new,
        TOOLS,
        number=50,
    ),
)
SESSIONS = tuple(
    Load(
        f"sessions{number}",
        "sessions",
        f"{number:,} sessions, {min(number, _BUSY)} of them busy with GET",
        ("rate", "p99_ms", "cpu_us"),
        run_among,
        TOOLS,
        topologies=("shared",),
        takes=lambda peer: not peer.process_a_session,
        descriptors=2 * number + 500,
        most_rounds=2,
        number=number,
        weight=1 if number < 9000 else 2,
    )
    for number in (10, 100, 1000, 9000)
)
