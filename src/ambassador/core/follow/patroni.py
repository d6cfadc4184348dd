"""Patroni: its lock says which member is the primary, and PostgreSQL itself has the veto.

REST answers 200 at `/primary` for the member that holds the lock, also while its PostgreSQL does
not take writes yet, or no longer does (https://patroni.readthedocs.io/en/latest/rest_api.html). So
clients are led to a member that holds the lock and is not in recovery. Where only its Patroni is
silent, PostgreSQL goes on: the member stays in use until another holds the lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ambassador.core.follow.claims import Event, Finding, Place, State

__all__ = ["Fact", "look"]


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a member. `lock`: whether it holds the lock (None: its Patroni is silent);
    `primary`: whether its PostgreSQL takes writes (None: it is silent); `system` is the identifier
    of its database system, `timeline` 0 where it is in recovery.
    """

    lock: bool | None
    primary: bool | None
    system: str = ""
    timeline: int = 0

    @property
    def mark(self) -> str:
        """The mark that tells its data from that of other members."""
        return f"{self.system}/{self.timeline}"


_UNKNOWN = Fact(None, None)


def look(state: State, facts: Mapping[Place, Fact], *, gone: bool) -> Finding | None:
    """Return what `facts` mean; nothing where it is too early to say. `gone`: the PostgreSQL of the
    member in use refuses, or was silent often enough.
    """
    holders = {place: one for place, one in facts.items() if one.lock and one.primary}
    if not state.mark:
        return _first(facts, holders)
    mine = facts.get(state.place, _UNKNOWN) if state.place is not None else _UNKNOWN
    others = {place: one for place, one in holders.items() if place != state.place}
    if others and (heir := _heir(state, mine, others, gone=gone)):
        return heir
    if mine.lock is not True and (locked := _locked(state, facts)):
        return locked
    return _said(state, mine, gone=gone)


def _said(state: State, mine: Fact, *, gone: bool) -> Finding | None:
    """Return what follows from what the member in use says, where no other has the lock."""
    if mine.primary is None:
        return Finding(Event.SILENT, "its PostgreSQL is silent") if gone else None
    if not mine.primary:
        return Finding(Event.LOST, "its PostgreSQL is in recovery")
    if mine.lock is False:
        return Finding(Event.SILENT, "it no longer holds the lock, and no other member does")
    why = "it holds the lock and takes writes"
    if mine.lock is None:
        why = "its Patroni is silent, PostgreSQL takes writes, no other member has the lock"
    return Finding(Event.SPEAKS, why, state.place, mine.mark)


def _first(facts: Mapping[Place, Fact], holders: Mapping[Place, Fact]) -> Finding:
    """Return the first primary, where nothing is remembered."""
    if not holders:
        locked = any(one.lock for one in facts.values())
        why = "the member with the lock takes no writes" if locked else "no member has the lock"
        return Finding(Event.LOST, why)
    return _one(holders, Event.ALONE, "holds the lock, timeline {}")


def _heir(state: State, mine: Fact, others: Mapping[Place, Fact], *, gone: bool) -> Finding | None:
    """Return which of `others`, which hold the lock and take writes, takes over."""
    system, _, number = state.mark.rpartition("/")
    timeline = max(int(number), mine.timeline if mine.system == system else 0)
    later = {
        p: one
        for p, one in others.items()
        if (one.system, one.timeline > timeline) == (system, True)
    }
    if later:
        return _one(later, Event.HEIR, f"holds the lock, timeline {{}} after {timeline}")
    if gone or not (mine.lock or mine.primary):  # Patroni names another: no veto
        return _one(others, Event.HEIR, "holds the lock, timeline {}; the set was created again")
    return None


def _locked(state: State, facts: Mapping[Place, Fact]) -> Finding | None:
    """Return LOST where another member holds the lock and is about to be promoted."""
    if any(one.lock for place, one in facts.items() if place != state.place):
        return Finding(Event.LOST, "another holds the lock, and takes no writes yet")
    return None


def _one(holders: Mapping[Place, Fact], event: Event, why: str) -> Finding:
    """Return `event` of the holder on the highest timeline."""
    top = max(one.timeline for one in holders.values())
    latest = [place for place, one in holders.items() if one.timeline == top]
    if len(latest) > 1:
        return Finding(Event.TIE, f"{len(latest)} say that they hold the lock, on timeline {top}")
    return Finding(event, why.format(top), latest[0], holders[latest[0]].mark)
