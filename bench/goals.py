"""The figures to reach, and whether a run reached them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bench.figures import Figures, Spread
from bench.peers import PEERS

__all__ = ["GOALS", "Goal", "Outcome", "judge", "part_of"]


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a median: of a ratio to another (Metric.ratios), or of the value itself where `to`
    is empty. `bound` is the least that counts, or the most where `at_most`; without one the figure
    is only shown beside the others.
    """

    text: str
    peer: str
    topology: str
    load: str
    metric: str
    to: str
    bound: float | None = None
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A goal with what was measured; `found` is None where it was not, `why` may say the reason."""

    goal: Goal
    found: Spread | None
    why: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the median keeps to the bound; None where nothing was measured or asked."""
        if self.found is None or self.goal.bound is None:
            return None
        if self.goal.at_most:
            return self.found.middle <= self.goal.bound
        return self.found.middle >= self.goal.bound


# What is measured: load, metric.
_RATE, _RATE16, _P99 = ("get50", "rate"), ("get50p16", "rate"), ("get50", "p99_ms")
_SHORT, _SHORT99 = ("get50short", "rate"), ("get50short", "p99_ms")
_BULK, _BULK8 = ("bulk1", "gbit"), ("bulk8", "gbit")
_NEW, _NEW_CPU = ("connections", "connections"), ("connections", "cpu_us")
_SHARED, _THREE = ("kernel", "shared"), ("kernel", "three")
_RELAY = ("relay", "shared")

GOALS: tuple[Goal, ...] = (
    Goal("kernel plane, shared: GET rate over direct", *_SHARED, *_RATE, "direct", 0.95),
    Goal("kernel plane, shared: GET rate over the best peer", *_SHARED, *_RATE, "best", 1.5),
    Goal("kernel plane, three: GET rate over the best peer", *_THREE, *_RATE, "best", 1.15),
    Goal("the same, pipeline 16", *_THREE, *_RATE16, "best", 1.3),
    Goal("kernel plane, three: p99 over the fastest peer's", *_THREE, *_P99, "fastest", 0.6, True),
    Goal("the same, over the least p99 of any peer", *_THREE, *_P99, "best"),
    Goal("kernel plane, shared: bulk over direct", *_SHARED, *_BULK, "direct", 0.95),
    # 0 by intention; half a percent is what its own timers and the clock's tick may leave.
    Goal(
        "kernel plane, shared: % of a core our process uses while it forwards",
        *(*_SHARED, "get50", "cpu_share", "", 0.5, True),
    ),
    *(
        Goal(f"relay, {where}: {text}", "relay", where, *what, "proxy", bound, at_most)
        for where in ("shared", "three")
        for text, what, bound, at_most in (
            ("GET rate in half a second, over the best proxy", _SHORT, 1.0, False),
            ("p99 in half a second, over the least of a proxy", _SHORT99, 1.1, True),
            ("GET rate over the best proxy", _RATE, 1.05, False),
            ("GET p99 over the least of a proxy", _P99, 1.1, True),
        )
    ),
    Goal("relay, shared: pipeline 16, rate over the best proxy", *_RELAY, *_RATE16, "proxy", 1.0),
    Goal(
        "relay, shared: GET, 1 connection, half within, over the least of a proxy",
        *(*_RELAY, "get1", "p50_ms", "proxy", 1.05, True),
    ),
    # The median above goes in steps of 8 µs, as its client counts them; a rate does not.
    Goal("the same, rate over the best proxy", *_RELAY, "get1", "rate", "proxy"),
    Goal("relay, shared: new connections over the best proxy", *_RELAY, *_NEW, "proxy", 1.0),
    Goal("the same, CPU each over the least of a proxy", *_RELAY, *_NEW_CPU, "proxy", 1.1, True),
    Goal("relay, shared: new connections over socat", *_RELAY, *_NEW, "socat", 6),
    Goal("relay, shared: bulk, 1 stream, over the best proxy", *_RELAY, *_BULK, "proxy", 1.0),
    Goal("relay, shared: bulk, 8 streams, over the best proxy", *_RELAY, *_BULK8, "proxy", 1.0),
    Goal(
        "relay: memory of an idle session, all processes together, KiB",
        *(*_RELAY, "idle", "session_kib", "", 1.3, True),
    ),
    Goal(
        "relay: first connections after idling, p99 over the least of a proxy",
        *(*_RELAY, "first", "p99_ms", "proxy", 1.2, True),
    ),
    Goal(
        "relay: longest wait of 3,000 sessions that an upgrade takes along, ms",
        *(*_RELAY, "upgrade", "gap_ms", "", 50, True),
    ),
    Goal(
        "relay: memory an idle session over the least of a proxy",
        *(*_RELAY, "idle", "session_kib", "proxy", 1.0, True),
    ),
    Goal(
        "relay: start to first byte through, over HAProxy's",
        *(*_RELAY, "start", "start_ms", "haproxy", 5, True),
    ),
)


def judge(figures: Figures) -> list[Outcome]:
    """Return every goal with what the run says of it."""
    return [
        Outcome(goal, _found(figures, goal), figures.reason(goal.topology, goal.load, goal.peer))
        for goal in GOALS
    ]


def part_of(peer: str) -> list[Goal]:
    """Return the goals of `peer` that need none who is a process a session."""
    needed = [goal for goal in GOALS if goal.peer == peer]
    return [g for g in needed if g.to not in PEERS or not PEERS[g.to].process_a_session]


def _found(figures: Figures, goal: Goal) -> Spread | None:
    place = (goal.topology, goal.load, goal.metric, goal.peer)
    return figures.ratio(*place, goal.to) if goal.to else figures.value(*place)
