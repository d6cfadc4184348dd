"""Whether a replica keeps up with its primary, so that reads may go there."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

__all__ = ["UNKNOWN", "Fact", "lacking"]

UNKNOWN = inf  # of a lag


@dataclass(frozen=True, slots=True)
class Fact:
    """What a member says of itself: whether it is a replica, whether it has a link to its primary,
    and how many seconds its data is behind.
    """

    replica: bool
    linked: bool = False
    lag: float = UNKNOWN


def lacking(fact: Fact, most: float) -> str:
    """Return why a member is no replica that is at most `most` seconds behind; empty where it is
    one. A replica that has lost its primary counts as well, for as long as its lag is small enough.
    """
    if not fact.replica:
        return "it is no replica"
    if fact.lag <= most:
        return ""
    behind = "an unknown time behind" if fact.lag == UNKNOWN else f"{fact.lag:.1f} s behind"
    link = "" if fact.linked else ", and does not hear from its primary"
    return f"it is {behind}{link} (lag is {most:g} s)"
