"""How the last change of a route is taken back: as a move, where that leads sessions elsewhere.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ambassador.core import commands
from ambassador.core.history import History, before, last_of
from ambassador.core.moving import MovePlan, check_policy, plain
from ambassador.core.names import find
from ambassador.core.situation import Situation, positive, wanting
from ambassador.core.wish import Wish, altered, held_by_operator
from ambassador.errors import ConflictError, Problem
from ambassador.model import Admin, Hold, Route, RouteKey

__all__ = ["UndoPlan", "undo"]


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """Take back the change `number`: by `move`, or (None) by using `wishes` from now on."""

    route: Route
    number: int
    message: str
    wishes: Mapping[RouteKey, Wish]
    move: MovePlan | None


def undo(now: Situation, command: commands.Undo, history: History) -> UndoPlan:
    """Return how to take the last change back. Raises ConfigError and its kinds."""
    route = _route(now, command.route, history)
    positive(command.timeout, "timeout")
    policy = check_policy(command.existing, route)
    change = last_of(history, route.key)
    if change is None:
        expected = f"ambassador history {route.name}, which lists what has been changed"
        what = f"{route.name} has no change that could be taken back"
        raise ConflictError(Problem("route", what, expected=expected))
    if command.change not in (0, change.number):
        what = f"{command.change} is not the last change of {route.name}: that is {change.number}, "
        raise ConflictError(Problem("change", f"{what}{change.what} by {change.who}"))
    wishes = before(now.wishes, change)
    message = f"{route.name}: change {change.number} taken back ({change.what})"
    wish = wishes.get(route.key)
    source = next((one for one in now.desired.routes if one.key == route.key), None)
    said = source or (wish.added if wish is not None else None)
    goal = None if said is None or said.follows else altered(said, wish)
    if goal is None or plain(goal.endpoints) == plain(route.endpoints) or route not in now.routes:
        return UndoPlan(route, change.number, message, wishes, None)
    here = {endpoint.address for endpoint in goal.endpoints}
    left = tuple(endpoint for endpoint in plain(route.endpoints) if endpoint.address not in here)
    admin = [(one.address, one.admin) for one in goal.endpoints if one.admin is not Admin.READY]
    held = held_by_operator(route, now.wishes.get(route.key))
    between = wanting(
        now,
        route,
        message,
        endpoints=(*plain(goal.endpoints), *left),
        admin=(*admin, *((endpoint.address, Admin.DRAIN) for endpoint in left)),
        hold=Hold() if command.hold and held is None else held,
    )
    ready = tuple(one for one in goal.endpoints if one.admin is Admin.READY)
    move = MovePlan(route, plain(goal.endpoints), between, wishes, policy, message, plain(ready))
    return UndoPlan(route, change.number, message, wishes, move)


def _route(now: Situation, name: str, history: History) -> Route:
    """Return the route called `name`, which may be a route that does not exist now."""
    known = {route.key: route for route in (*now.desired.routes, *now.routes)}
    for change in reversed(history):
        if change.undoable:
            gone = Route(change.route, change.listen, (), change.proto)
            known.setdefault(change.key, gone)
    return find(known.values(), name)
