"""What an operator can ask, one dataclass a verb: the command line, the admin API and the
reconciler speak of the same ones.

Fields are plain values (text in the grammar of `spec`, seconds, numbers), so that a JSON body maps
directly to a command; a field with a default may be left out. `VERBS` is the table of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ambassador.core.results import (
    ChangeList,
    Done,
    Moved,
    NumbersView,
    SessionList,
    StatusView,
    Undone,
)

__all__ = [
    "VERBS",
    "Add",
    "Command",
    "Cut",
    "Drain",
    "History",
    "Hold",
    "Maint",
    "Move",
    "Numbers",
    "Ready",
    "Release",
    "Reload",
    "Remove",
    "Reset",
    "Result",
    "Sessions",
    "Status",
    "Undo",
    "word",
]


@dataclass(frozen=True, slots=True)
class Status:
    """Show the state of one route, or of all."""

    result: ClassVar[type] = StatusView
    changes: ClassVar[bool] = False

    route: str = ""


@dataclass(frozen=True, slots=True)
class Sessions:
    """List open sessions, the oldest first: of one route, or of all. At most `limit`."""

    result: ClassVar[type] = SessionList
    changes: ClassVar[bool] = False

    route: str = ""
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Numbers:
    """Show what has been counted for one route, with the same numbers as the metrics."""

    result: ClassVar[type] = NumbersView
    changes: ClassVar[bool] = False

    route: str


@dataclass(frozen=True, slots=True)
class Move:
    """Point a route at other endpoints (URLs); no client gets an error.

    With `verify` each new endpoint must answer before anything changes, and again afterwards. With
    `hold` new sessions wait meanwhile. `existing` is the policy for the sessions of the old
    endpoints, in words of the grammar; empty: the route's own policy. If the move is not done
    within `timeout` seconds, everything is put back as it was.

    With `check` nothing changes: only the steps that no client notices are made, and the answer
    says what a real move would do. With `from` the move is made only if the route leads to exactly
    these endpoints now.
    """

    result: ClassVar[type] = Moved
    changes: ClassVar[bool] = True

    route: str
    endpoints: tuple[str, ...]
    hold: bool = False
    existing: str = ""
    verify: bool = True
    timeout: float = 10.0
    check: bool = False
    from_: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back the last change of a route, as `History` lists it; called again, the change before.

    Where that leads to other endpoints it is a move: `hold`, `existing`, `verify` and `timeout`
    mean the same as there. With `change` (a number), it is done only while that change is the last
    one.
    """

    result: ClassVar[type] = Undone
    changes: ClassVar[bool] = True

    route: str
    hold: bool = False
    existing: str = ""
    verify: bool = True
    timeout: float = 10.0
    change: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """List the last changes of one route, or of all, the newest first. At most `limit`."""

    result: ClassVar[type] = ChangeList
    changes: ClassVar[bool] = False

    route: str = ""
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Hold:
    """Accept new sessions of a route, but do not forward them until `Release`.

    A session that has waited `timeout` seconds is closed; while `limit` sessions wait, more are
    refused.
    """

    result: ClassVar[type] = Done
    changes: ClassVar[bool] = True

    route: str
    timeout: float = 30.0
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Release:
    """Forward the sessions that are held, to wherever the route leads now."""

    result: ClassVar[type] = Done
    changes: ClassVar[bool] = True

    route: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Give endpoints no new sessions; open ones finish.

    One `endpoint` (URL or address) of a route, or of every route that has it; or all endpoints of a
    route. Sessions still open after `deadline` seconds are cut, spread over the last part of that
    time; 0: never.
    """

    result: ClassVar[type] = Done
    changes: ClassVar[bool] = True

    route: str = ""
    endpoint: str = ""
    deadline: float = 0.0


@dataclass(frozen=True, slots=True)
class Maint:
    """Treat endpoints as if they had left their route: no new sessions, open ones follow
    `existing`.
    """

    result: ClassVar[type] = Done
    changes: ClassVar[bool] = True

    route: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """Take back `Drain` and `Maint`; a deadline that is running is cancelled."""

    result: ClassVar[type] = Done
    changes: ClassVar[bool] = True

    route: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Cut:
    """End open sessions now, both sides with a reset: of a route, of an endpoint, or the session
    with the id that `Sessions` lists. At most `rate` a second; 0: all at once.

    If the endpoints still take new sessions, the clients may connect again at once.
    """

    result: ClassVar[type] = Done
    changes: ClassVar[bool] = True

    route: str = ""
    endpoint: str = ""
    session: str = ""
    rate: int = 0


@dataclass(frozen=True, slots=True)
class Add:
    """Begin routes: assignments as in the environment, `REDIS_PORT_6379_TCP=tcp://db:6379`."""

    result: ClassVar[type] = Done
    changes: ClassVar[bool] = True

    assignments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """End a route; its open sessions follow its `existing`."""

    result: ClassVar[type] = Done
    changes: ClassVar[bool] = True

    route: str


@dataclass(frozen=True, slots=True)
class Reset:
    """Drop what the operator has changed: of one route, or of all."""

    result: ClassVar[type] = Done
    changes: ClassVar[bool] = True

    route: str = ""


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the sources again; on an error everything stays as it was."""

    result: ClassVar[type] = Done
    changes: ClassVar[bool] = True


Command = (
    Status
    | Sessions
    | History
    | Numbers
    | Move
    | Undo
    | Hold
    | Release
    | Drain
    | Maint
    | Ready
    | Cut
    | Add
    | Remove
    | Reset
    | Reload
)
Result = StatusView | SessionList | ChangeList | NumbersView | Moved | Undone | Done

VERBS: dict[str, type[Command]] = {
    "status": Status,
    "sessions": Sessions,
    "history": History,
    "numbers": Numbers,
    "move": Move,
    "undo": Undo,
    "hold": Hold,
    "release": Release,
    "drain": Drain,
    "maint": Maint,
    "ready": Ready,
    "cut": Cut,
    "add": Add,
    "remove": Remove,
    "reset": Reset,
    "reload": Reload,
}
_WORDS = {kind: verb for verb, kind in VERBS.items()}


def word(command: Command) -> str:
    """Return the verb of `command`."""
    return _WORDS[type(command)]
