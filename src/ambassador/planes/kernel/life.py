"""The life of a route in the kernel plane as a table: (stage, event) -> stage. Pure.

The kernel's table counts for a route from its first transaction until it is removed, with or
without ways. The log says once which plane has the route: the reconciler logs it with each step,
and the plane where a route has its first way only later, because a name was not resolved.
A pair that is not in the table cannot happen: a KeyError there is a bug. See docs/states.md.
"""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["ANNOUNCED", "COUNTED", "TABLE", "Event", "Stage"]


class Stage(Enum):
    """What the kernel's table has of a route, and whether this has been logged."""

    NEW = auto()  # nothing yet
    RELAYED = auto()  # nothing: the relay carries the whole route
    EXPECTED = auto()  # its counters, no way yet
    ARRIVED = auto()  # counters and ways, not logged yet
    FORWARDED = auto()  # counters and ways
    BARE = auto()  # its counters; it has lost its ways, and gets them back without a log line
    RETIRED = auto()  # its counters, for flows that go on; the relay carries the whole route
    REMOVED = auto()  # flows that go on


class Event(Enum):
    """What happened."""

    WAYS = auto()  # a transaction left it with ways
    NO_WAYS = auto()  # a transaction left it without ways: held, no address known or reachable
    REFUSED = auto()  # a transaction left it to the relay
    TOLD = auto()  # the plane that it has is logged
    LOST = auto()  # another process had the table: it may have lost everything of the route
    REMOVE = auto()  # it has been removed


ANNOUNCED = frozenset({Stage.FORWARDED, Stage.BARE})
COUNTED = frozenset(set(Stage) - {Stage.NEW, Stage.RELAYED})

_STEPS = {
    Stage.NEW: (Stage.ARRIVED, Stage.EXPECTED, Stage.RELAYED, Stage.NEW),
    Stage.RELAYED: (Stage.ARRIVED, Stage.EXPECTED, Stage.RELAYED, Stage.RELAYED),
    Stage.EXPECTED: (Stage.ARRIVED, Stage.EXPECTED, Stage.RETIRED, Stage.EXPECTED),
    Stage.ARRIVED: (Stage.ARRIVED, Stage.EXPECTED, Stage.RETIRED, Stage.FORWARDED),
    Stage.FORWARDED: (Stage.FORWARDED, Stage.BARE, Stage.RETIRED, Stage.FORWARDED),
    Stage.BARE: (Stage.FORWARDED, Stage.BARE, Stage.RETIRED, Stage.EXPECTED),
    Stage.RETIRED: (Stage.ARRIVED, Stage.EXPECTED, Stage.RETIRED, Stage.RETIRED),
}

TABLE: dict[tuple[Stage, Event], Stage] = {
    **{
        (stage, event): following
        for stage, steps in _STEPS.items()
        for event, following in zip(
            (Event.WAYS, Event.NO_WAYS, Event.REFUSED, Event.TOLD), steps, strict=True
        )
    },
    **{(stage, Event.LOST): Stage.NEW for stage in _STEPS},
    **{(stage, Event.REMOVE): Stage.REMOVED for stage in COUNTED},
}
