"""Redis and Valkey without Sentinel: replication ids show which member was promoted after which.

After a promotion `master_replid2` is the id of the stream that the member followed until then
(https://redis.io/docs/latest/operate/oss_and_stack/management/replication/). A claimant whose
`master_replid2` is the id of the member in use succeeds it, even while the member in use still
claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ambassador.core.follow.claims import Event, Finding, Place, State

__all__ = ["Fact", "look"]

_NOBODY = "0" * 40  # the second id of a member that was never promoted


@dataclass(frozen=True, slots=True)
class Fact:
    """What a member says of itself; `loading`: it loads its data, so nothing of this is certain
    yet.
    """

    primary: bool
    id: str
    before: str = ""  # the second id
    loading: bool = False

    @property
    def heir_of(self) -> str:
        """The id of the stream it was promoted from; empty where it never was."""
        return "" if self.before == _NOBODY else self.before


def look(
    state: State, facts: Mapping[Place, Fact | None], *, gone: bool, auto: bool
) -> Finding | None:
    """Return what `facts` mean (None for a silent member); nothing where it is too early to say.
    `gone`: the member in use was silent often enough. `auto`: then another member that claims is
    taken, also one that was left before.
    """
    claims = {
        place: fact
        for place, fact in facts.items()
        if fact is not None and fact.primary and not fact.loading
    }
    if not state.mark:
        return _first(claims)
    heirs = [one for one in claims if one != state.place and claims[one].heir_of == state.mark]
    if len(heirs) == 1:
        why = "it was promoted from the one in use (master_replid2)"
        return Finding(Event.HEIR, why, heirs[0], claims[heirs[0]].id)
    if heirs:
        return Finding(Event.TIE, f"{len(heirs)} were promoted from the one in use")
    mine = facts.get(state.place) if state.place is not None else None
    if mine is None and not gone:
        return None
    if mine is None or mine.loading:
        return _silent(state, claims, "it loads its data" if mine else "it is silent", auto=auto)
    return _claims(state, facts, mine) if mine.primary else _demoted(state, claims, mine)


def _silent(state: State, claims: Mapping[Place, Fact], why: str, *, auto: bool) -> Finding:
    others = [one for one in claims if one != state.place]
    if auto and len(others) == 1:
        why = "the one in use is gone, and no other claims (failback=auto)"
        return Finding(Event.HEIR, why, others[0], claims[others[0]].id)
    return Finding(Event.SILENT, why)


def _claims(state: State, facts: Mapping[Place, Fact | None], mine: Fact) -> Finding:
    """Return what follows where the member in use says that it is the primary."""
    known = {state.mark, *state.marks}
    if mine.id not in known and mine.heir_of != state.mark:
        others = (fact for place, fact in facts.items() if place != state.place)
        kept = sum(fact is not None and fact.id in known for fact in others)
        if kept:
            why = f"it came back without its past, which {kept} others have"
            return Finding(Event.LOST, why)
    return Finding(Event.SPEAKS, "it says that it is the primary", state.place, mine.id)


def _first(claims: Mapping[Place, Fact]) -> Finding:
    """Return the first primary, where nothing is remembered."""
    ids = {fact.id for fact in claims.values()}
    succeeded = {fact.heir_of for fact in claims.values()}
    latest = [one for one, fact in claims.items() if fact.id not in succeeded]
    heirs = [one for one in latest if claims[one].heir_of in ids]
    if len(claims) == 1:
        (place,) = claims
        return Finding(Event.ALONE, "no other says that it is the primary", place, claims[place].id)
    if len(latest) == 1 and len(heirs) == 1:
        why = "it was promoted from another that claims (master_replid2)"
        return Finding(Event.ALONE, why, latest[0], claims[latest[0]].id)
    if claims:
        return Finding(Event.TIE, f"{len(claims)} claim, and nothing tells which is the latest")
    return Finding(Event.LOST, "none says that it is the primary")


def _demoted(state: State, claims: Mapping[Place, Fact], mine: Fact) -> Finding:
    """Return which member takes over from the one in use, which is a replica now."""
    known = {state.mark, *state.marks, mine.id}
    line = [one for one, fact in claims.items() if fact.id in known or fact.heir_of in known]
    if len(line) == 1:
        why = "the one in use is a replica now, and this is of its line"
        return Finding(Event.HEIR, why, line[0], claims[line[0]].id)
    return Finding(Event.LOST, "it says that it is a replica, and no member of its line claims")
