"""PostgreSQL: of members of one system, the one on the higher timeline was promoted later.

A promotion begins a new timeline (PostgreSQL's manual, "Continuous Archiving", Timelines). Two
standbys that were promoted independently have the same one: nothing shows which is right, and
nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ambassador.core.follow.claims import Event, Finding, Place, State

__all__ = ["Fact", "look"]


@dataclass(frozen=True, slots=True)
class Fact:
    """What a member says of itself; `system` is the identifier of its database system, `timeline` 0
    where it is in recovery.
    """

    primary: bool
    system: str
    timeline: int = 0

    @property
    def mark(self) -> str:
        """The mark that tells its data from that of other members."""
        return f"{self.system}/{self.timeline}"


def look(
    state: State, facts: Mapping[Place, Fact | None], *, gone: bool, auto: bool
) -> Finding | None:
    """Return what `facts` mean (None for a silent member); nothing where it is too early to say.
    `gone`: the member in use was silent often enough. `auto`: then another member that claims is
    taken, also one whose timeline is not higher.
    """
    claims = {place: fact for place, fact in facts.items() if fact is not None and fact.primary}
    if not state.mark:
        return _first(claims)
    system, _, number = state.mark.rpartition("/")
    mine = facts.get(state.place) if state.place is not None else None
    timeline = int(number)
    if mine is not None and mine.primary and mine.system == system:
        timeline = max(timeline, mine.timeline)
    others = {
        place: fact.timeline
        for place, fact in claims.items()
        if place != state.place and fact.system == system
    }
    top = max(others.values(), default=0)
    demoted = mine is not None and not mine.primary
    if top > timeline or (top and top == timeline and demoted) or (top and gone and auto):
        latest = [place for place, number in others.items() if number == top]
        if len(latest) > 1:
            return Finding(Event.TIE, f"{len(latest)} claim on timeline {top}")
        return Finding(Event.HEIR, f"timeline {top} after {timeline}", latest[0], f"{system}/{top}")
    if mine is None:
        return Finding(Event.SILENT, "it is silent") if gone else None
    return _said(state, mine, system)


def _said(state: State, mine: Fact, system: str) -> Finding:
    if mine.system != system:
        return Finding(Event.LOST, "it has another database system now")
    if not mine.primary:
        return Finding(Event.LOST, "it is in recovery, and no member of its system claims")
    return Finding(Event.SPEAKS, "it is not in recovery", state.place, mine.mark)


def _first(claims: Mapping[Place, Fact]) -> Finding:
    """Return the first primary, where nothing is remembered."""
    top = max((fact.timeline for fact in claims.values()), default=0)
    latest = [place for place, fact in claims.items() if fact.timeline == top]
    if not claims:
        return Finding(Event.LOST, "all are in recovery, or silent")
    if len({fact.system for fact in claims.values()}) > 1:
        return Finding(Event.TIE, f"{len(claims)} claim, and are of different systems")
    if len(latest) > 1:
        return Finding(Event.TIE, f"{len(latest)} claim on timeline {top}")
    (place,) = latest
    return Finding(Event.ALONE, f"not in recovery, timeline {top}", place, claims[place].mark)
