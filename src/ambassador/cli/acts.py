"""What a key of `top` would do, as a question that says how many sessions it affects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ambassador.admin import client
from ambassador.cli.board import Board
from ambassador.core.commands import Command, Cut, Drain, Hold, Move, Ready, Release, Undo
from ambassador.core.results import Moved, RouteView

__all__ = ["Act", "act_of", "checked"]


@dataclass(frozen=True, slots=True)
class Act:
    """A question to the user, and the command that is sent if the answer is yes."""

    question: str
    command: Command

    def do(self, path: Path) -> str:
        """Send the command, and return the answer as text. Raises AmbassadorError."""
        done = client.ask(path, self.command)
        return "; ".join([done.message, *getattr(done, "notes", ())])


def act_of(key: str, board: Board) -> Act | None:
    """Return what `key` would do with the selected row; None if the key does nothing with it."""
    if board.opened:
        name, endpoint = board.opened, ""
        if key == "c" and board.session < len(board.sessions):
            one = board.sessions[board.session]
            return Act(f"cut session {one.id} of {one.client}?", Cut(session=one.id))
    elif board.selected is not None:
        name, endpoint = board.selected.route, board.selected.endpoint
    else:
        return None
    route = board.route(name)
    return None if route is None else _act(key, route, endpoint)


def _act(key: str, route: RouteView, endpoint: str) -> Act | None:
    name, where = route.name, endpoint or route.name
    count = next((one.open for one in route.endpoints if one.endpoint == endpoint), route.open)
    sessions = f"{count} session{'' if count == 1 else 's'}"
    go_on = f"{sessions} {'goes' if count == 1 else 'go'} on"
    waiting = route.hold.waiting if route.hold else route.held
    waits = f"{waiting or 'no'} client{'' if waiting == 1 else 's'}"
    waits += " waits" if waiting == 1 else " wait"
    acts: dict[str, tuple[str, Command]] = {
        "h": (f"hold {name}: new sessions wait, {go_on}?", Hold(name)),
        "r": (f"release {name}: {waits}?", Release(name)),
        "d": (f"drain {where}: {go_on}, no new ones?", Drain(name, endpoint)),
        "a": (f"{where} ready again for new sessions?", Ready(name, endpoint)),
        "c": (f"cut {sessions} of {where}, with a reset?", Cut(name, endpoint)),
        "u": (f"take back the last change of {name}: {sessions} open?", Undo(name)),
    }
    return Act(*acts[key]) if key in acts else None


def checked(path: Path, name: str, endpoints: tuple[str, ...], seen: tuple[str, ...]) -> Act:
    """Return the move of the route `name` to `endpoints`, with a question that says what it would
    do. Raises AmbassadorError if it would fail, or if the route no longer leads to `seen`.
    """
    told: Moved = client.ask(path, Move(name, endpoints, check=True, from_=seen))
    where = ", ".join(told.endpoints)
    question = f"move {name} to {where}: {'; '.join(told.notes)}?"
    return Act(question, Move(name, endpoints, from_=seen))
