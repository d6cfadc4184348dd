"""`./dev bench follow`: fail over behind each peer, count, and write docs/follow-benchmarks.md."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.errors import BenchError
from bench.follow.front import at_home, fronts
from bench.follow.outcome import Outcome, judge
from bench.follow.page import Part, keep, kept, page
from bench.follow.peers import GROUPS, PEERS
from bench.follow.redisset import NAME, RedisSet, ask, until
from bench.follow.writers import Writers

__all__ = ["EVENTS", "main"]

_DOCS = Path(__file__).parents[2] / "docs"
PAGE, FIGURES = _DOCS / "follow-benchmarks.md", _DOCS / "benchmarks" / "follow.json"
_INSIDE = "AMBASSADOR_BENCH_FOLLOW"
_SETTLED = 3.0  # seconds of writes until a failover: by then workers have been started
_AFTER = 6.0  # seconds that are looked at after a failover, or after the one before is back


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


# How often each event is brought about, where no number is given: in front of ours, of others.
_RUNS = dict(zip(EVENTS, (10, 10, 10, 5), strict=True))
_OTHERS = 2
WORDS = dict(zip(("planned", "kill", "stop", "double"), EVENTS, strict=True))


class _Watch:
    """When the first sentinel names another (`named`, time.monotonic)."""

    def __init__(self, redis: RedisSet, before: int) -> None:
        self.named = 0.0
        self._on = True
        self._thread = threading.Thread(target=self._look, args=(redis, before), daemon=True)
        self._thread.start()

    def _look(self, redis: RedisSet, before: int) -> None:
        others = [port for port in redis.servers if port != before]
        while self._on and not self.named:
            if any(redis.named(port) in others for port in redis.sentinels):
                self.named = time.monotonic()
            time.sleep(0.005)

    def stop(self) -> None:
        self._on = False
        self._thread.join(2)


def _once(redis: RedisSet, event: str, writers: Mapping[str, Writers]) -> dict[str, Outcome]:
    before = redis.named(redis.sentinels[0])
    watch, began = _Watch(redis, before), time.monotonic()
    EVENTS[event](redis, before)
    time.sleep(_AFTER)
    watch.stop()
    for one in writers.values():
        one.stop()
    members = ask(redis.settle(), "SMEMBERS", "written", limit=10)
    there = set(map(str, members)) if isinstance(members, list) else set[str]()
    return {
        peer: judge(
            one.acknowledged,
            there,
            redis.promotions(),
            before=before,
            began=began,
            named=watch.named,
            clients=one.clients,
            answers=(one.readonly, one.refused),
        )
        for peer, one in writers.items()
    }


def _measure(
    redis: RedisSet, folder: Path, peers: Sequence[str], event: str, runs: int
) -> dict[tuple[str, str], Part]:
    outcomes: dict[str, list[Outcome]] = {peer: [] for peer in peers}
    loads = []
    for _ in range(runs):
        ask(redis.settle(), "UNLINK", "written")  # of the run before: a million in five
        with ExitStack() as stack:
            places = stack.enter_context(fronts(len(peers)))
            ways = {
                peer: stack.enter_context(PEERS[peer](redis, folder, place))
                for peer, place in zip(peers, places, strict=True)
            }
            writers = {peer: Writers(way) for peer, way in ways.items()}
            time.sleep(_SETTLED)
            found = _once(redis, event, writers)
        loads.append(os.getloadavg()[0])
        for peer, outcome in found.items():
            outcomes[peer].append(outcome)
            print(f"{peer}: {event}: {outcome}", flush=True)
    return {(peer, event): (some, loads) for peer, some in outcomes.items()}


def _asked(arguments: Sequence[str]) -> tuple[int, list[str], list[str]]:
    """Return how many runs (0: as usual), which groups of peers, and which events."""
    numbers = [int(one) for one in arguments if one.isdigit()]
    words = [one for one in arguments if not one.isdigit()]
    if unknown := [one for one in words if one not in GROUPS and one not in WORDS]:
        known = " ".join((*GROUPS, *WORDS))
        raise BenchError(f"bench follow knows no {unknown[0]!r}, but a number and: {known}")
    groups = [one for one in words if one in GROUPS] or list(GROUPS)
    events = [WORDS[one] for one in words if one in WORDS] or list(EVENTS)
    return (numbers or [0])[0], groups, events


def main(arguments: Sequence[str]) -> int:
    """Measure what the words say, so many times where one is a number; write the page anew with
    that in the place of what was measured before. Return the exit code.
    """
    given, groups, events = _asked(arguments)
    if not os.environ.pop(_INSIDE, ""):
        os.environ[_INSIDE] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, "-m", "bench", "follow", *arguments])
    at_home()
    with tempfile.TemporaryDirectory() as folder:
        redis = RedisSet(Path(folder))
        try:
            for group, event in itertools.product(groups, events):
                for peers in GROUPS[group]:
                    runs = given or (_OTHERS if group == "others" else _RUNS[event])
                    keep(FIGURES, _measure(redis, Path(folder), peers, event, runs))
        finally:
            redis.close()
    PAGE.write_text(page(kept(FIGURES), PEERS, EVENTS))
    return 0
