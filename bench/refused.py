"""`./dev bench refused`: what clients that may come in wait while ten thousand a second may not.

In a network namespace for each plane, over loopback: who comes from 10.9.0.2 is allowed, from
10.9.0.3 not. With and without those in turns, so that what else the machine does is the same for
both. They have one core, and all others the rest.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.bed import answers, ask
from bench.errors import BenchError
from bench.peers.ambassador import find
from bench.processes import Process, environment

__all__ = ["main"]

_INSIDE = "AMBASSADOR_BENCH_REFUSED"
_WHERE = ("10.9.0.1", 7000)
_REDIS = ("10.9.0.4", 6379)
_ALLOWED, _OTHERS = "10.9.0.2", "10.9.0.3"
_MOST = 40  # at once, where the machine has let us wait
_RATE = 10_000
_SECONDS = 3.0
_EVERY = 0.002  # seconds between two clients that are allowed
_CORES = os.sched_getaffinity(0)
_NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT (ip(7))


def _socket(address: str) -> socket.socket:
    """Return a socket that connects from `address`. Its port is chosen by connect(2): bind(2) would
    look at each port that has been used lately, for 3 ms where there are tens of thousands.
    """
    sock = socket.socket()
    sock.setsockopt(socket.SOL_IP, _NO_PORT, 1)
    sock.bind((address, 0))
    return sock


def _flood(tried: Any, over: Any) -> None:
    """Connect from `_OTHERS`, `_RATE` times a second, and close what has been answered."""
    # It would be on other hosts: whoever is measured does not wait for it.
    os.sched_setaffinity(0, {max(_CORES)})
    os.nice(10)
    began, count = time.monotonic(), 0
    old: list[socket.socket] = []
    while not over.is_set():
        due = int((time.monotonic() - began) * _RATE)
        new = []
        for _ in range(min(due - count, _MOST)):
            sock = _socket(_OTHERS)
            sock.setblocking(False)
            with suppress(OSError):
                sock.connect(_WHERE)
            new.append(sock)
        count += len(new)
        time.sleep(0.001)
        for sock in old:
            sock.close()
        old = new
    tried.value = count


def _waits() -> list[float]:
    """Return how long clients that are allowed wait for a first answer, in ms; each is new."""
    found, began = [], time.monotonic()
    due = began
    while due - began < _SECONDS:
        if (pause := due - time.monotonic()) > 0:
            time.sleep(pause)
        start = time.perf_counter()
        with _socket(_ALLOWED) as client:
            client.settimeout(10)
            client.connect(_WHERE)
            if not ask(client):
                raise BenchError("refused: a client that is allowed was not served")
        found.append((time.perf_counter() - start) * 1000)
        due += _EVERY
    return found


def _p99(waits: Sequence[float]) -> float:
    return statistics.quantiles(waits, n=100)[98]


def _phase(flooded: bool) -> tuple[float, float, float]:
    """Return the median and the p99 of waits, and how many a second were tried beside them."""
    tried, over = multiprocessing.Value("q", 0), multiprocessing.Event()
    other = multiprocessing.Process(target=_flood, args=(tried, over))
    if flooded:
        other.start()
        time.sleep(0.3)
    began = time.monotonic()
    waits = _waits()
    seconds = time.monotonic() - began
    over.set()
    if flooded:
        other.join()
    return statistics.median(waits), _p99(waits), tried.value / (seconds + 0.3)


def _is_up(admin: Path) -> bool:
    words = [find(), "healthcheck", "--admin", str(admin)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def _refused(admin: Path) -> int:
    words = [find(), "status", "--json", "--admin", str(admin)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment())
    (route,) = json.loads(done.stdout)["routes"]
    return int(route["refused"])


def _plane(plane: str, rounds: int, folder: Path) -> None:
    admin = folder / f"{plane}.sock"
    words = [find(), "run", "--plane", plane, "--admin", str(admin)]
    name = "REDIS_PORT_7000_TCP"
    words += [f"{name}=tcp://{_REDIS[0]}:{_REDIS[1]}", f"{name}_ALLOW={_ALLOWED}"]
    ours = Process(words, folder / f"{plane}.log")
    try:
        while not _is_up(admin):
            if ours.ended:
                raise BenchError(f"{plane}: {ours.last_words()}")
            time.sleep(0.01)
        _phase(flooded=False)
        rows: dict[bool, list[tuple[float, float, float]]] = {False: [], True: []}
        for _ in range(rounds):
            for flooded in (False, True):
                rows[flooded].append(_phase(flooded))
        (calm50, calm99, _), (p50, p99, rate) = (
            tuple(statistics.median(column) for column in zip(*rows[key], strict=True))
            for key in (False, True)
        )
        print(
            f"{plane}: p50 {calm50:.2f} -> {p50:.2f} ms, p99 {calm99:.2f} -> {p99:.2f} ms "
            f"({p99 / calm99:.2f}) beside {rate:,.0f} refused a second; {_refused(admin):,} "
            f"counted; load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    finally:
        ours.end()


def main(arguments: Sequence[str]) -> int:
    """Measure in so many ROUNDS (3 without a word) with each plane; return the exit code."""
    rounds = int(arguments[0]) if arguments and arguments[0].isdigit() else 3
    if plane := os.environ.pop(_INSIDE, ""):
        _measure(plane, rounds)
        return 0
    hosts = " && ".join(f"ip addr add 10.9.0.{one}/32 dev lo" for one in range(1, 5))
    hosts += " && echo 1 >/proc/sys/net/ipv4/ip_forward"  # of this namespace
    inside = f'ip link set lo up && {hosts} && exec "{sys.executable}" -m bench refused {rounds}'
    words = ["unshare", "-n", "sh", "-c", inside]
    # What one plane leaves behind (ports in TIME_WAIT) would slow down the clients of the next.
    codes = [
        subprocess.run(words, check=False, env={**os.environ, _INSIDE: plane}).returncode
        for plane in ("relay", "kernel")
    ]
    return max(codes)


def _measure(plane: str, rounds: int) -> None:
    if len(_CORES) > 1:
        os.sched_setaffinity(0, _CORES - {max(_CORES)})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        redis = ["redis-server", "--save", "", "--bind", _REDIS[0], "--dir", name]
        redis += ["--protected-mode", "no"]
        service = Process(redis, folder / "redis.log")
        try:
            while not answers(_REDIS):
                time.sleep(0.01)
            _plane(plane, rounds, folder)
        finally:
            service.end()
