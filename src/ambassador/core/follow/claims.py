"""Following members that say themselves whether they are the primary, without an authority.

What a member's answer means differs by kind (`lineage`, `timeline`, `readonly`); what follows from
it is one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from ambassador.core.follow.stage import STANCES, Stage, Stance

__all__ = ["TABLE", "Event", "Finding", "Place", "State", "stance", "step"]

Place = tuple[str, int]  # IP literal, port


class Event(Enum):
    """What was found."""

    ALONE = auto()  # one member claims to be the primary, and no other primary is known
    HEIR = auto()  # a member claims that was promoted after the one in use
    CONFIRMED = auto()  # sessions to the primary before have ended
    SPEAKS = auto()  # the one in use claims, and no member was promoted after it
    SILENT = auto()  # the one in use loads its data, refuses, or was silent `fall` times
    LOST = auto()  # the one in use no longer claims, or came back without its past; no other claims
    TIE = auto()  # several claim, and nothing shows which is right


_S, _E = Stage, Event
_LEAVES: Mapping[Stage, Mapping[Event, Stage]] = {
    _S.NONE: {_E.ALONE: _S.SWITCHING, _E.HEIR: _S.SWITCHING, _E.SPEAKS: _S.USING},
    _S.USING: {
        _E.HEIR: _S.SWITCHING,
        _E.SILENT: _S.WAITING,
        _E.LOST: _S.DEMOTED,
        _E.TIE: _S.DEMOTED,
    },
    _S.WAITING: {
        _E.HEIR: _S.SWITCHING,
        _E.SPEAKS: _S.USING,
        _E.LOST: _S.DEMOTED,
        _E.TIE: _S.DEMOTED,
    },
    _S.SWITCHING: {_E.CONFIRMED: _S.USING},
    _S.DEMOTED: {_E.HEIR: _S.SWITCHING, _E.SPEAKS: _S.USING},
}
TABLE: Mapping[tuple[Stage, Event], Stage] = {
    (stage, event): leaves.get(event, stage) for stage, leaves in _LEAVES.items() for event in Event
}


@dataclass(frozen=True, slots=True)
class State:
    """What was decided: `place` is in use, or was last; `mark` tells its data from that of others
    (a replication id, a timeline), `marks` are its earlier marks. `aim` is the member that comes
    next.
    """

    stage: Stage = Stage.NONE
    place: Place | None = None
    mark: str = ""
    marks: frozenset[str] = frozenset()
    aim: Place | None = None
    aim_mark: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, at which member (for SPEAKS: the one in use), and the evidence."""

    event: Event
    why: str
    place: Place | None = None
    mark: str = ""


def step(state: State, finding: Finding) -> State:
    """Return what follows from `finding`."""
    stage = TABLE[state.stage, finding.event]
    after = replace(state, stage=stage)
    match finding.event:
        case Event.ALONE | Event.HEIR if stage is Stage.SWITCHING:
            after = replace(after, aim=finding.place, aim_mark=finding.mark)
        case Event.CONFIRMED if state.stage is Stage.SWITCHING:
            marks = state.marks | ({state.mark} if state.mark else frozenset())
            after = State(stage, state.aim, state.aim_mark, frozenset(marks))
        case Event.SPEAKS if stage is Stage.USING and finding.mark != state.mark:
            marks = state.marks | ({state.mark} if state.mark else frozenset())
            after = replace(after, mark=finding.mark, marks=frozenset(marks))
    return after


def stance(state: State) -> Stance:
    """Return what clients meet. After a restart the remembered primary is only asked again: its
    sessions go on.
    """
    if state.stage is Stage.NONE and state.place is not None:
        return Stance.WAIT
    return STANCES[state.stage]
