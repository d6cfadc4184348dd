"""From a command to the operator's wishes, or to what is wrong with it. Pure.

The reconciler acts on such a `Decision`. A move, which takes two of them, is decided in
`core.moving`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ambassador.core import commands
from ambassador.core.chosen import chosen
from ambassador.core.describe import describe, listed
from ambassador.core.names import find
from ambassador.core.situation import Decision, Situation, positive, put, wanting, wrong
from ambassador.core.wish import Wish, held_by_operator
from ambassador.errors import ConflictError, Problem
from ambassador.model import Admin, Hold, Route
from ambassador.spec import format_address

__all__ = ["Change", "add", "decide"]

Change = (
    commands.Hold
    | commands.Release
    | commands.Drain
    | commands.Maint
    | commands.Ready
    | commands.Remove
    | commands.Reset
)

_ADMIN = {
    commands.Drain: (Admin.DRAIN, "draining"),
    commands.Maint: (Admin.MAINT, "in maintenance"),
    commands.Ready: (Admin.READY, "ready"),
}


def decide(now: Situation, command: Change) -> Decision:
    """Return what `command` leads to. Raises ConfigError and its kinds."""
    match command:
        case commands.Hold():
            return _hold(now, command)
        case commands.Release():
            return _release(now, command)
        case commands.Remove():
            return _remove(now, command)
        case commands.Reset():
            return _reset(now, command)
        case commands.Drain() | commands.Maint() | commands.Ready():
            return _admin(now, command)


def _hold(now: Situation, command: commands.Hold) -> Decision:
    route = find(now.routes, command.route)
    positive(command.timeout, "timeout")
    if command.limit < 1:
        raise wrong("limit", "must be at least 1", str(command.limit))
    if held_by_operator(route, now.wishes.get(route.key)) is not None:
        raise ConflictError(Problem("route", f"{route.name} is held already"))
    message = f"{route.name} held"
    hold = Hold(command.timeout, command.limit)
    return Decision(wanting(now, route, message, hold=hold), message, (route.name,))


def _release(now: Situation, command: commands.Release) -> Decision:
    route = find(now.routes, command.route)
    if held_by_operator(route, now.wishes.get(route.key)) is None:
        waits = ", it waits for its primary" if route.hold is not None else ""
        raise ConflictError(Problem("route", f"{route.name} is not held{waits}"))
    message = f"{route.name} released"
    return Decision(wanting(now, route, message, hold=None), message, (route.name,))


def _admin(now: Situation, command: commands.Drain | commands.Maint | commands.Ready) -> Decision:
    if isinstance(command, commands.Drain) and command.deadline:
        positive(command.deadline, "deadline")
    word, said = _ADMIN[type(command)]
    found = chosen(now.routes, command.route, command.endpoint)
    wishes, messages = dict(now.wishes), []
    for route, endpoints in found:
        addresses = {endpoint.address for endpoint in endpoints}
        here = [endpoint for endpoint in route.endpoints if endpoint.address not in addresses]
        admin = [(e.address, e.admin) for e in here if e.admin is not Admin.READY]
        if word is not Admin.READY:
            admin += [(endpoint.address, word) for endpoint in endpoints]
        line = ", ".join(format_address(endpoint.address) for endpoint in endpoints)
        message = f"{line} of {route.name} {said}"
        put(wishes, now, route, message, admin=tuple(admin))
        messages.append(message)
    return Decision(wishes, listed(messages, "; "), tuple(route.name for route, _ in found))


def _remove(now: Situation, command: commands.Remove) -> Decision:
    route = find(now.routes, command.route)
    message = f"{route.name} removed"
    key = route.key
    wishes = {other: wish for other, wish in now.wishes.items() if other != key}
    if any(one.key == key for one in now.desired.routes):
        blank = Wish(*key, route.name)
        wishes[key] = replace(blank, who=now.who, when=now.when, what=message, removed=True)
    return Decision(wishes, message, (route.name,))


def _reset(now: Situation, command: commands.Reset) -> Decision:
    if not command.route:
        names = tuple(wish.route for wish in now.wishes.values())
        return Decision({}, f"{len(names)} route{'' if len(names) == 1 else 's'} reset", names)
    known = {route.key: route for route in (*now.desired.routes, *now.routes)}
    for key, wish in now.wishes.items():  # for a route that is in no source now
        known.setdefault(key, Route(wish.route, wish.listen, (), wish.proto))
    route = find(known.values(), command.route)
    if route.key not in now.wishes:
        raise ConflictError(Problem("route", f"{route.name} is as the sources say already"))
    wishes = {key: wish for key, wish in now.wishes.items() if key != route.key}
    return Decision(wishes, f"{route.name} reset", (route.name,))


def add(now: Situation, routes: Sequence[Route]) -> Decision:
    """Return the decision that adds `routes`. Raises ConflictError."""
    wishes = dict(now.wishes)
    installed = {route.key: route for route in now.routes}
    desired = {route.key for route in now.desired.routes}
    for route in routes:
        key = route.key
        if key in installed:
            where = format_address(route.listen)
            what = f"{where} belongs to the route {installed[key].name}"
            raise ConflictError(Problem("assignments", what, expected="a free listen address"))
        if key in desired:
            what = f"{route.name} is removed, but the sources still say it"
            back = f"ambassador reset {route.name}, which brings it back"
            raise ConflictError(Problem("assignments", what, expected=back))
        added = replace(route, origin=f"added by {now.who}")
        blank = Wish(*key, route.name)
        what = f"{route.name} added"
        wishes[key] = replace(blank, who=now.who, when=now.when, what=what, added=added)
    said = listed([f"added {describe(route)}" for route in routes], "; ")
    return Decision(wishes, said, tuple(route.name for route in routes))
