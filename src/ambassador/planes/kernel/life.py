"""The life of a route in the kernel plane as a table: (stage, event) -> stage. Pure.

A route is counted from its first transaction on, whether it has a way or not, until it is removed.
What it meets is said in the log once: by the reconciler with each step, and by the plane itself
where a route has its first way only later, because a name was not known.
What no cell names cannot happen: the KeyError there is a bug. docs/states.md has it as a page.
"""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["ANNOUNCED", "COUNTED", "TABLE", "Event", "Stage"]


class Stage(Enum):
    """What the kernel's table has of a route, and what has been said of it."""

    NEW = auto()  # nothing yet
    RELAYED = auto()  # nothing: the relay has it altogether
    EXPECTED = auto()  # its counters, no way yet
    ARRIVED = auto()  # counters and ways, of which nobody has been told
    FORWARDED = auto()  # counters and ways
    BARE = auto()  # its counters; it has lost its ways, and gets them back without a word
    RETIRED = auto()  # its counters, for flows that go on; the relay has it altogether
    REMOVED = auto()  # flows that go on


class Event(Enum):
    """What happened."""

    WAYS = auto()  # a transaction left it with ways
    NO_WAYS = auto()  # a transaction left it without: held, nothing known, nothing reachable
    REFUSED = auto()  # a transaction left it to the relay
    TOLD = auto()  # what it meets has been said
    LOST = auto()  # somebody else had the table: nothing of it can be counted on
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
