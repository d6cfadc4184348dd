"""Following what Sentinels say: the answer with the highest config-epoch names the primary, ROLE
may object and never elects, events are reasons to ask.

`named` finds out whether the sentinels name another member now, `step` goes by `TABLE`. An epoch
never goes back: an answer of an older epoch changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from ambassador.core.follow.stage import STANCES, Stage, Stance

__all__ = [
    "PATIENCE",
    "TABLE",
    "Event",
    "Named",
    "Place",
    "Said",
    "State",
    "awaited",
    "frozen",
    "named",
    "stance",
    "step",
]

Place = tuple[str, int]  # IP literal, port

PATIENCE = 10.0  # seconds a freeze lasts at most; a failover that takes longer was given up


class Event(Enum):
    """What sentinels or members have reported."""

    NAMED = auto()  # the sentinels name another member, of a higher epoch
    RENAMED = auto()  # the sentinels name the same member, of a higher epoch
    CONFIRMED = auto()  # the member that was named says that it is the primary
    SELECTED = auto()  # a sentinel has selected which member is to follow the one in use
    SPARED = auto()  # the failover was given up, and the one in use says that it is the primary
    PROMOTED = auto()  # the selected member says that it is the primary, and `promote` is `fast`
    SPEAKS = auto()  # the one in use says that it is the primary
    DEMOTED = auto()  # the one in use says that it is a replica
    SILENT = auto()  # the one in use loads its data, refuses, or was silent `fall` times


_S, _E = Stage, Event
TABLE: Mapping[tuple[Stage, Event], Stage] = {
    (_S.NONE, _E.NAMED): _S.SWITCHING,
    (_S.NONE, _E.RENAMED): _S.SWITCHING,
    (_S.NONE, _E.CONFIRMED): _S.NONE,
    (_S.NONE, _E.SELECTED): _S.NONE,
    (_S.NONE, _E.SPARED): _S.NONE,
    (_S.NONE, _E.PROMOTED): _S.NONE,
    (_S.NONE, _E.SPEAKS): _S.USING,
    (_S.NONE, _E.DEMOTED): _S.NONE,
    (_S.NONE, _E.SILENT): _S.NONE,
    (_S.USING, _E.NAMED): _S.SWITCHING,
    (_S.USING, _E.RENAMED): _S.USING,
    (_S.USING, _E.CONFIRMED): _S.USING,
    (_S.USING, _E.SELECTED): _S.FROZEN,
    (_S.USING, _E.SPARED): _S.USING,
    (_S.USING, _E.PROMOTED): _S.USING,
    (_S.USING, _E.SPEAKS): _S.USING,
    (_S.USING, _E.DEMOTED): _S.DEMOTED,
    (_S.USING, _E.SILENT): _S.WAITING,
    (_S.WAITING, _E.NAMED): _S.SWITCHING,
    (_S.WAITING, _E.RENAMED): _S.WAITING,
    (_S.WAITING, _E.CONFIRMED): _S.WAITING,
    (_S.WAITING, _E.SELECTED): _S.FROZEN,
    (_S.WAITING, _E.SPARED): _S.USING,
    (_S.WAITING, _E.PROMOTED): _S.WAITING,
    (_S.WAITING, _E.SPEAKS): _S.USING,
    (_S.WAITING, _E.DEMOTED): _S.DEMOTED,
    (_S.WAITING, _E.SILENT): _S.WAITING,
    (_S.FROZEN, _E.NAMED): _S.SWITCHING,
    (_S.FROZEN, _E.RENAMED): _S.FROZEN,
    (_S.FROZEN, _E.CONFIRMED): _S.FROZEN,
    (_S.FROZEN, _E.SELECTED): _S.FROZEN,
    (_S.FROZEN, _E.SPARED): _S.USING,
    (_S.FROZEN, _E.PROMOTED): _S.USING,
    (_S.FROZEN, _E.SPEAKS): _S.FROZEN,
    (_S.FROZEN, _E.DEMOTED): _S.FROZEN,
    (_S.FROZEN, _E.SILENT): _S.FROZEN,
    (_S.SWITCHING, _E.NAMED): _S.SWITCHING,
    (_S.SWITCHING, _E.RENAMED): _S.SWITCHING,
    (_S.SWITCHING, _E.CONFIRMED): _S.USING,
    (_S.SWITCHING, _E.SELECTED): _S.SWITCHING,
    (_S.SWITCHING, _E.SPARED): _S.SWITCHING,
    (_S.SWITCHING, _E.PROMOTED): _S.SWITCHING,
    (_S.SWITCHING, _E.SPEAKS): _S.SWITCHING,
    (_S.SWITCHING, _E.DEMOTED): _S.SWITCHING,
    (_S.SWITCHING, _E.SILENT): _S.SWITCHING,
    (_S.DEMOTED, _E.NAMED): _S.SWITCHING,
    (_S.DEMOTED, _E.RENAMED): _S.DEMOTED,
    (_S.DEMOTED, _E.CONFIRMED): _S.DEMOTED,
    (_S.DEMOTED, _E.SELECTED): _S.FROZEN,
    (_S.DEMOTED, _E.SPARED): _S.USING,
    (_S.DEMOTED, _E.PROMOTED): _S.DEMOTED,
    (_S.DEMOTED, _E.SPEAKS): _S.USING,
    (_S.DEMOTED, _E.DEMOTED): _S.DEMOTED,
    (_S.DEMOTED, _E.SILENT): _S.DEMOTED,
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a sentinel answers: which member it takes for the primary (None: it knows no such name),
    of which config-epoch (None: we are not allowed to ask), and whether it leads a failover now.
    """

    place: Place | None
    epoch: int | None = None
    failover: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """The member that the sentinels name; `votes` of them do. `anew`: it is of a lower epoch,
    because the set was created again.
    """

    place: Place
    epoch: int
    votes: int
    anew: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """What was decided: `place` is in use, or was last, by an answer of `epoch`.

    `aim` is the member that was named (SWITCHING) or selected (FROZEN); `since` is when the stage
    began, by any clock.
    """

    stage: Stage = Stage.NONE
    place: Place | None = None
    epoch: int = -1
    aim: Place | None = None
    aim_epoch: int = -1
    since: float = 0.0


def named(state: State, said: Mapping[str, Said | None], *, unwell: bool = False) -> Named | None:
    """Return the member that the sentinels name, where that is new to `state`; None where nothing
    changes.

    `said` has every sentinel that was configured, None for one that does not answer: without
    answers of a majority, nothing changes. `unwell`: the member in use is silent, or says that it
    is a replica; then a majority may name another of a lower epoch.
    """
    answers = [one for one in said.values() if one is not None]
    majority = len(said) // 2 + 1
    votes = Counter(one.place for one in answers if one.place is not None)
    if len(answers) < majority or not votes:
        return None
    known = max(state.epoch, state.aim_epoch)
    believed = state.aim if state.stage is Stage.SWITCHING else state.place
    if found := _by_epoch(answers, known, believed):
        return found
    place, count = votes.most_common(1)[0]
    if state.stage is Stage.NONE and believed in votes and believed is not None:
        by_epoch = any(one.place == believed and one.epoch == known for one in answers)
        under_way = any(one.failover for one in answers)  # another may be the primary by now
        if under_way or by_epoch or votes[believed] >= majority:
            return None if under_way else Named(believed, known, votes[believed])
    if count < majority or place == believed:
        return None
    if all(one.epoch is None for one in answers):  # no sentinel lets us ask for the epoch
        return Named(place, known, count)
    return Named(place, _latest(answers, place), count, anew=True) if unwell else None


def _by_epoch(answers: Sequence[Said], known: int, believed: Place | None) -> Named | None:
    """Return the member that the answers of the highest epoch name, where that epoch is higher than
    the one `known`, or no member is `believed` to be the primary.
    """
    epochs = [one.epoch for one in answers if one.epoch is not None and one.place is not None]
    top = max(epochs, default=-1)
    if not epochs or (top <= known and believed is not None):
        return None
    first, *others = Counter(
        one.place for one in answers if one.epoch == top and one.place is not None
    ).most_common(2)
    if others and others[0][1] == first[1]:
        return None
    return Named(first[0], top, first[1])


def _latest(answers: Iterable[Said], place: Place) -> int:
    """Return the highest epoch at which `place` was named."""
    return max((one.epoch for one in answers if one.place == place and one.epoch), default=0)


def step(state: State, event: Event, now: float, news: Named | Place | None = None) -> State:
    """Return what follows from `event` at `now`. `news` is the member it is about: for NAMED and
    RENAMED what `named` returned, for SELECTED the member that was selected.
    """
    stage = TABLE[state.stage, event]
    after = replace(state, stage=stage)
    if stage is not state.stage:
        after = replace(after, since=now)
    match event:
        case Event.NAMED | Event.RENAMED if isinstance(news, Named):
            if stage is Stage.SWITCHING:
                epoch = max(state.epoch, state.aim_epoch, news.epoch)
                after = replace(after, aim=news.place, aim_epoch=epoch)
            else:
                after = replace(after, epoch=max(state.epoch, news.epoch))
        case Event.SELECTED if stage is Stage.FROZEN and isinstance(news, tuple):
            after = replace(after, aim=news)
        case Event.CONFIRMED if stage is Stage.USING and state.stage is Stage.SWITCHING:
            after = replace(after, place=state.aim, epoch=state.aim_epoch, aim=None, aim_epoch=-1)
        case Event.PROMOTED if stage is Stage.USING and state.stage is Stage.FROZEN:
            after = replace(after, place=state.aim, aim=None)
        case Event.SPARED if stage is Stage.USING:
            after = replace(after, aim=None)
    return after


def awaited(state: State) -> Place | None:
    """Return the member that is about to take over. It has to be known after a restart; otherwise
    the old primary would be believed again while sentinels still name it.
    """
    between = state.stage in {Stage.FROZEN, Stage.SWITCHING} and state.aim != state.place
    return state.aim if between and state.place is not None else None


def frozen(state: State, aim: Place, now: float) -> State:
    """Return `state`, as it is remembered, where `aim` was about to take over."""
    return replace(state, stage=Stage.FROZEN, aim=aim, since=now)


def stance(state: State) -> Stance:
    """Return what clients meet in `state`. After a restart the remembered primary is only asked
    again: its sessions go on.
    """
    again = state.stage is Stage.NONE or (
        state.stage is Stage.SWITCHING and state.aim == state.place
    )
    return Stance.WAIT if again and state.place is not None else STANCES[state.stage]
