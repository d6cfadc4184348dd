"""`./dev bench follow`: fail over behind each peer, count, and write docs/follow-benchmarks.md."""

from __future__ import annotations

import itertools
import os
import platform
import shlex
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.errors import BenchError
from bench.follow.peers import PEERS
from bench.follow.redisset import NAME, RedisSet, ask, until
from bench.follow.writers import Writers

__all__ = ["EVENTS", "Outcome", "main", "page"]

PAGE = Path(__file__).parents[2] / "docs" / "follow-benchmarks.md"
_INSIDE = "AMBASSADOR_BENCH_FOLLOW"
_AFTER = 6.0  # seconds that are looked at after a failover, or after the one before is back


@dataclass(frozen=True)
class Outcome:
    """What one failover has cost; times in milliseconds, None: not within the time looked at."""

    first: float | None
    everybody: float | None
    named: float | None  # from the first sentinel's new answer to the first write
    gap: float
    lost: int
    readonly: int
    refused: int


def _kill(redis: RedisSet, primary: int) -> None:
    redis.processes[primary].kill()
    redis.processes[primary].wait()
    time.sleep(5)
    redis.start(primary)


def _stop(redis: RedisSet, primary: int) -> None:
    redis.processes[primary].send_signal(signal.SIGSTOP)
    time.sleep(2.2)
    redis.processes[primary].send_signal(signal.SIGCONT)


def _planned(redis: RedisSet, _primary: int) -> None:
    if ask(redis.sentinels[0], "SENTINEL", "FAILOVER", NAME) != "OK":
        raise BenchError("SENTINEL FAILOVER was refused")


def _double(redis: RedisSet, primary: int) -> None:
    """The second begins as soon as the first is done, and its primary has its replicas: whatever is
    in front of it, a replica that has not followed yet loses what was written meanwhile.
    """
    _planned(redis, primary)
    until(lambda: primary not in map(redis.named, redis.sentinels), "the first of two failovers")
    redis.settle()
    until(
        lambda: ask(redis.sentinels[1], "SENTINEL", "FAILOVER", NAME) == "OK",
        "a second failover that begins",
    )


EVENTS: dict[str, Callable[[RedisSet, int], None]] = {
    "SENTINEL FAILOVER": _planned,
    "kill -9, back after 5 s": _kill,
    "SIGSTOP, awake after 2.2 s": _stop,
    "two SENTINEL FAILOVER in a row": _double,
}


# How often each event is brought about, where no number is given: behind ours, and behind others.
_OURS = dict(zip(EVENTS, (10, 10, 10, 5), strict=True))
_OTHERS = 2


class _Watch:
    """When another is promoted, and when the first sentinel names another."""

    def __init__(self, redis: RedisSet, before: int) -> None:
        self.promoted = self.named = 0.0
        self._on = True
        self._threads = [
            threading.Thread(target=self._look, args=(redis, before, what), daemon=True)
            for what in ("promoted", "named")
        ]
        for thread in self._threads:
            thread.start()

    def _look(self, redis: RedisSet, before: int, what: str) -> None:
        others = [port for port in redis.servers if port != before]
        while self._on and not getattr(self, what):
            seen = (
                any(redis.role(port) == "master" for port in others)
                if what == "promoted"
                else any(redis.named(port) in others for port in redis.sentinels)
            )
            if seen:
                setattr(self, what, time.monotonic())
            time.sleep(0.005)

    def stop(self) -> None:
        self._on = False
        for thread in self._threads:
            thread.join(2)


def _once(redis: RedisSet, event: str, writers: Writers) -> Outcome:
    before = redis.named(redis.sentinels[0])
    watch, began = _Watch(redis, before), time.monotonic()
    EVENTS[event](redis, before)
    time.sleep(_AFTER)
    watch.stop()
    writers.stop()
    after = redis.settle()
    members = ask(after, "SMEMBERS", "written", limit=10)
    there = set(members) if isinstance(members, list) else set()
    promoted = watch.promoted or float("inf")
    later = [one for one in writers.acknowledged if one[0] > promoted]
    good = [one for one in later if str(one[1]) in there]
    firsts = [min((t for t, _, c in good if c == one), default=None) for one in writers.clients]
    moments = sorted(when for when, _, _ in writers.acknowledged if when > began - 0.5)
    found = [one for one in firsts if one is not None]
    return Outcome(
        (min(found) - began) * 1000 if found else None,
        (max(found) - began) * 1000 if len(found) == len(firsts) else None,
        (min(found) - watch.named) * 1000 if found and watch.named else None,
        max((b - a for a, b in itertools.pairwise(moments)), default=0.0) * 1000,
        len(later) - len(good),
        writers.readonly,
        writers.refused,
    )


def _median(values: Sequence[float | None]) -> str:
    known = [one for one in values if one is not None]
    if len(known) < len(values) / 2 or not known:
        return "never"
    return f"{statistics.median(known):,.0f}"


def page(found: dict[tuple[str, str], list[Outcome]], load: str) -> str:
    """Return the page of what was `found`, by peer and event, under a `load`."""
    host = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores"
    now = datetime.now(UTC)
    lines = [
        "# Failovers, measured",
        "",
        "Written by `./dev bench follow`; not by hand. One Redis set of a primary, two replicas",
        "and three sentinels (down-after 1 s, failover-timeout 3 s, quorum 2) on loopback, in",
        "front of it one peer after the other; three clients write unique numbers: a patient one,",
        "one that waits 1 s, one with a connection for each write. What is acknowledged after the",
        "promotion and is not at the new primary is lost. Times are medians in ms since the event",
        "(of the gap the longest), counts are sums.",
        "",
        f"{host}, load {load}; {now:%Y-%m-%d %H:%M} UTC. The ambassador with the relay plane.",
    ]
    for event in EVENTS:
        lines += ["", f"## {event}", ""]
        lines.append(
            "| peer | failovers | first write | every client writes "
            "| after the first sentinel's answer | longest gap | lost | READONLY | refused |"
        )
        lines.append("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
        for peer in PEERS:
            if some := found.get((peer, event)):
                cells = (
                    peer,
                    str(len(some)),
                    _median([one.first for one in some]),
                    _median([one.everybody for one in some]),
                    _median([one.named for one in some]),
                    f"{max(one.gap for one in some):,.0f}",
                    *(
                        str(sum(getattr(one, n) for one in some))
                        for n in ("lost", "readonly", "refused")
                    ),
                )
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Measure with so many RUNS of each event (without a word 10, and 5 of two in a row; 2 behind
    others); return the exit code.
    """
    if not os.environ.pop(_INSIDE, ""):
        os.environ[_INSIDE] = "1"
        words = " ".join(shlex.quote(one) for one in arguments)
        inside = f'ip link set lo up && exec "{sys.executable}" -m bench follow {words}'
        os.execvp("unshare", ["unshare", "-n", "sh", "-c", inside])
    given = int(arguments[0]) if arguments and arguments[0].isdigit() else 0
    found: dict[tuple[str, str], list[Outcome]] = {}
    loads = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder:
        redis = RedisSet(Path(folder))
        try:
            for peer, event in itertools.product(PEERS, EVENTS):
                runs = given or (_OURS[event] if peer.startswith("ambassador") else _OTHERS)
                for _ in range(runs):
                    redis.settle()
                    with PEERS[peer](redis, Path(folder)) as connect:
                        writers = Writers(connect)
                        time.sleep(0.5)
                        outcome = _once(redis, event, writers)
                    found.setdefault((peer, event), []).append(outcome)
                    loads.append(os.getloadavg()[0])
                    print(f"{peer}: {event}: {outcome}", flush=True)
        finally:
            redis.close()
    load = f"{min(loads):.1f} to {max(loads):.1f} (median {statistics.median(loads):.1f})"
    PAGE.write_text(page(found, load))
    return 0
