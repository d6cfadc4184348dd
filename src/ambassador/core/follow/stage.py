"""The stages of a route that follows a primary, and what each means for its clients."""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["STANCES", "Stage", "Stance"]


class Stance(Enum):
    """What clients meet."""

    LET = auto()  # new clients are let through, open sessions go on
    WAIT = auto()  # new clients wait, open sessions go on
    CUT = auto()  # new clients wait, open sessions follow the policy of a demotion


class Stage(Enum):
    """What is known of the primary."""

    NONE = auto()  # no primary has been found since the start
    USING = auto()  # clients go to the primary
    WAITING = auto()  # the primary is silent or loads its data: it may come back
    FROZEN = auto()  # another member was selected and is about to be promoted
    SWITCHING = auto()  # another is named and has not said yet that it is the primary
    DEMOTED = auto()  # the primary says that it is none, and no other is known


STANCES = {
    Stage.NONE: Stance.CUT,
    Stage.USING: Stance.LET,
    Stage.WAITING: Stance.WAIT,
    Stage.FROZEN: Stance.CUT,
    Stage.SWITCHING: Stance.CUT,
    Stage.DEMOTED: Stance.CUT,
}
