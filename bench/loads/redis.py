"""Redis GET through redis-benchmark: kept connections, one connection, new connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from bench.bed import Bed
from bench.loads.load import Load, Pace
from bench.parse import parse_redis_csv

__all__ = ["CONNECTIONS", "GET", "SESSIONS"]

TOOLS = (("redis-benchmark", "redis-tools"), ("redis-server", "redis-server"))
_BUSY = 50
_FIRST = 40  # requests a connection in the run that finds out how fast it goes
_SHORT = 0.5  # seconds of a short load, where a measurement is not shorter anyway
_WARM = 0.1  # of the time of a measurement, before it, so that no peer comes to it cold


def run(
    load: Load, bed: Bed, pace: Pace, *, pipeline: int = 1, keep: bool = True
) -> Mapping[str, float]:
    """Run GETs for about `pace.seconds`; return rate, latencies and the peer's cost."""
    key, seconds = _key(load, bed), pace.seconds * load.weight
    command, within = _command(bed), 20 + 5 * seconds
    options = ["-t", "get", "-c", str(load.number), "-P", str(pipeline), "-k", str(int(keep))]
    _fill(bed, within)
    if key not in pace.rates:
        first = load.number * (_FIRST if keep else 5)
    else:
        first = max(int(pace.rates[key] * seconds * _WARM), load.number)
    warm = _measure(bed, [*command, *options], first, within)
    # A lost SYN stalls the beginning of a run by 3 s; the next is as long as ever all the same.
    # With new connections it may stall all of it: then the last pace tells how many fit in.
    pace.rates[key] = max(pace.rates.get(key, 0), warm["rate"]) if keep else warm["rate"]
    count = max(int(pace.rates[key] * seconds), 2 * load.number)
    values = _measure(bed, [*command, *options], count, within)
    pace.rates[key] = max(pace.rates[key], values["rate"]) if keep else values["rate"]
    return values


def run_short(load: Load, bed: Bed, pace: Pace) -> Mapping[str, float]:
    """Run GETs for half a second from connections that are opened for it, after nothing that would
    warm anything: what a go-between does only after a while is too late here.
    """
    seconds = min(_SHORT, pace.seconds)
    key, within = _key(load, bed), 20 + 5 * seconds
    command = [*_command(bed), "-t", "get", "-c", str(load.number)]
    _fill(bed, within)
    if key not in pace.rates:
        # As fast as the long load, where that was measured before; else a few requests tell.
        rate = pace.rates.get((bed.topology, GET[0].key, bed.peer.name))
        pace.rates[key] = rate or _measure(bed, command, load.number * _FIRST, within)["rate"]
    count = max(int(pace.rates[key] * seconds), 2 * load.number)
    values = _measure(bed, command, count, within)
    pace.rates[key] = values["rate"]
    return values


def _key(load: Load, bed: Bed) -> tuple[str, str, str]:
    return bed.topology, load.key, bed.peer.name


def _command(bed: Bed) -> list[str]:
    host, port = bed.address()
    return ["redis-benchmark", "-h", host, "-p", str(port), "--csv"]


def _fill(bed: Bed, within: float) -> None:
    """So that GET finds something: the Redis of a new round, or after another start, is empty."""
    bed.client([*_command(bed), "-t", "set", "-n", "1", "-c", "1"], within)


def _measure(bed: Bed, command: Sequence[str], count: int, within: float) -> dict[str, float]:
    timed = bed.client([*command, "-n", str(count)], within)
    values = parse_redis_csv(timed.output, count)
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
    Load(
        "get50short",
        "get",
        "GET, 50 connections, half a second",
        _METRICS,
        run_short,
        TOOLS,
        number=50,
        turns=3,
        weight=0.5,
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
