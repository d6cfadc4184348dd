"""MariaDB and MySQL: the member that is not read-only takes writes.

A replica is not read-only by default: its configuration has to set that. Where two members are not
read-only, nothing shows which was meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ambassador.core.follow.claims import Event, Finding, Place, State

__all__ = ["Fact", "look"]


@dataclass(frozen=True, slots=True)
class Fact:
    """What a member says of itself; `number` is its server_id, by which a member that was left is
    recognised.
    """

    primary: bool
    number: str


def look(
    state: State, facts: Mapping[Place, Fact | None], *, gone: bool, auto: bool
) -> Finding | None:
    """Return what `facts` mean (None for a silent member); nothing where it is too early to say.
    `gone`: the member in use was silent often enough. `auto`: then also a member that was left
    before is taken.
    """
    claims = {place: fact for place, fact in facts.items() if fact is not None and fact.primary}
    if not state.mark:
        return _one(claims, Event.ALONE, "it is not read-only", "all are read-only, or silent")
    mine = facts.get(state.place) if state.place is not None else None
    others = {place: fact for place, fact in claims.items() if place != state.place}
    if mine is None and not gone:
        return None
    if mine is None:
        if not auto:
            others = {place: one for place, one in others.items() if one.number not in state.marks}
        why = "it is not read-only, and the one in use is gone"
        return _one(others, Event.HEIR, why, "it is silent", Event.SILENT)
    if mine.primary:
        return Finding(Event.SPEAKS, "it is not read-only", state.place, mine.number)
    why = "it is not read-only, and the one in use is now"
    return _one(others, Event.HEIR, why, "it is read-only, and so are all others")


def _one(
    claims: Mapping[Place, Fact], event: Event, why: str, nobody: str, lost: Event = Event.LOST
) -> Finding:
    """Return `event` of the only one of `claims`."""
    if not claims:
        return Finding(lost, nobody)
    if len(claims) > 1:
        return Finding(Event.TIE, f"{len(claims)} are not read-only")
    ((place, fact),) = claims.items()
    return Finding(event, why, place, fact.number)
