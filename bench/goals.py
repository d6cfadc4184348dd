"""The figures to reach, and whether a run reached them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bench.figures import Figures, Spread

__all__ = ["GOALS", "Goal", "Outcome", "judge"]


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
    """A goal with what was measured; `found` is None where it was not."""

    goal: Goal
    found: Spread | None

    @property
    def reached(self) -> bool | None:
        """Whether the median keeps to the bound; None where nothing was measured or asked."""
        if self.found is None or self.goal.bound is None:
            return None
        if self.goal.at_most:
            return self.found.middle <= self.goal.bound
        return self.found.middle >= self.goal.bound


# What is measured: load, metric; "best" is the best of the peers that are not ours.
_RATE, _RATE16, _P99 = ("get50", "rate"), ("get50p16", "rate"), ("get50", "p99_ms")
_SHORT, _SHORT99 = ("get50short", "rate"), ("get50short", "p99_ms")
_BULK, _NEW = ("bulk1", "gbit"), ("connections", "connections")
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
    Goal("relay, shared: GET rate over the best peer", *_RELAY, *_RATE, "best", 1.0),
    Goal("relay, three: GET rate over the best peer", "relay", "three", *_RATE, "best", 1.0),
    *(
        goal
        for where in ("shared", "three")
        for goal in (
            Goal(f"relay, {where}: short GET rate", "relay", where, *_SHORT, "best", 1.0),
            Goal(f"relay, {where}: short GET p99", "relay", where, *_SHORT99, "best", 1.1, True),
            Goal(f"relay, {where}: GET p99", "relay", where, *_P99, "best", 1.1, True),
        )
    ),
    Goal("relay, shared: bulk, 1 stream, over the best peer", *_RELAY, *_BULK, "best", 1.0),
    Goal("relay, shared: new connections over the best peer", *_RELAY, *_NEW, "best", 1.0),
    Goal("relay, shared: new connections over socat", *_RELAY, *_NEW, "socat", 6),
    Goal(
        "relay: memory an idle session over the best peer",
        *(*_RELAY, "idle", "session_kib", "best", 1.0, True),
    ),
    Goal(
        "relay: start to first byte through, over HAProxy's",
        *(*_RELAY, "start", "start_ms", "haproxy", 5, True),
    ),
)


def judge(figures: Figures) -> list[Outcome]:
    """Return every goal with what the run says of it."""
    return [Outcome(goal, _found(figures, goal)) for goal in GOALS]


def _found(figures: Figures, goal: Goal) -> Spread | None:
    place = (goal.topology, goal.load, goal.metric, goal.peer)
    return figures.ratio(*place, goal.to) if goal.to else figures.value(*place)
