"""From a command to the operator's wishes, or to what is wrong with it. Pure.

`Situation` is all that counts at that moment; `Decision` is what shall be, and how to tell it. The
reconciler makes it so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from ambassador.core import commands
from ambassador.core.describe import describe, describe_endpoint, listed
from ambassador.core.names import find
from ambassador.core.wish import Wish, held_by_operator
from ambassador.errors import ConfigError, ConflictError, NotFoundError, Problem
from ambassador.model import (
    Address,
    Admin,
    Desired,
    Endpoint,
    Existing,
    Hold,
    Proto,
    Route,
    RouteKey,
)
from ambassador.spec import (
    format_address,
    format_endpoint,
    meant,
    parse_endpoint,
    parse_existing,
    shown,
)
from ambassador.spec.address import length
from ambassador.spec.endpoint import repeated

__all__ = [
    "Change",
    "Decision",
    "MovePlan",
    "Situation",
    "add",
    "chosen",
    "decide",
    "move",
    "parse_address",
    "positive",
]

# A move makes all of them known at once, and each name is asked for.
MOST_ENDPOINTS = 256

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


@dataclass(frozen=True, slots=True)
class Situation:
    """What the sources want, what is installed, what the operator wanted until now; who asks,
    and when (seconds since 1970).
    """

    desired: Desired
    routes: tuple[Route, ...]
    wishes: Mapping[RouteKey, Wish]
    who: str
    when: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What the operator wants from now on; `message` says what that is, for `routes`."""

    wishes: Mapping[RouteKey, Wish]
    message: str
    routes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MovePlan:
    """A move in two steps: `between`, new sessions go to the new endpoints (or wait) while the
    endpoints before keep theirs; `after`, those have left, by the policy `existing`.
    """

    route: Route
    endpoints: tuple[Endpoint, ...]
    between: Mapping[RouteKey, Wish]
    after: Mapping[RouteKey, Wish]
    existing: Existing | None
    message: str


def decide(now: Situation, command: Change) -> Decision:
    """Return what `command` comes to. Raises ConfigError and its kinds."""
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


def move(now: Situation, command: commands.Move) -> MovePlan:
    """Return how to move. Raises ConfigError and its kinds."""
    route = find(now.routes, command.route)
    positive(command.timeout, "timeout")
    endpoints = _endpoints(route, command.endpoints)
    policy = parse_existing(command.existing, "existing") if command.existing else None
    if policy is not None and route.proto is Proto.UDP:
        raise _wrong("existing", "a UDP route has none: a flow moves with its next datagram")
    current = _plain(route.endpoints)
    if endpoints == current:
        where = ", ".join(map(describe_endpoint, endpoints))
        raise ConflictError(Problem("endpoints", f"{route.name} leads to {where} already"))
    here = {endpoint.address for endpoint in endpoints}
    left = tuple(endpoint for endpoint in current if endpoint.address not in here)
    line = ", ".join(map(describe_endpoint, endpoints))
    message = f"{route.name} moved to {line}"
    held = held_by_operator(route, now.wishes.get(route.key))
    hold = Hold() if command.hold and held is None else held
    between = _with(
        now,
        route,
        message,
        endpoints=(*endpoints, *left),
        admin=tuple((endpoint.address, Admin.DRAIN) for endpoint in left),
        hold=hold,
    )
    key = route.key
    source = next((one for one in now.desired.routes if one.key == key), None)
    back = source is not None and source.endpoints == endpoints
    after = _with(now, route, message, endpoints=None if back else endpoints, admin=())
    return MovePlan(route, endpoints, between, after, policy, message)


def chosen(
    routes: Iterable[Route], name: str, endpoint: str
) -> list[tuple[Route, tuple[Endpoint, ...]]]:
    """Return the endpoints that are meant, by route: all of the one so named, or those that are
    written as `endpoint` of it, or of every route.

    Raises ConfigError when neither is given, NotFoundError when there is none.
    """
    routes = tuple(routes)
    if not name and not endpoint:
        raise _wrong("route", "neither a route nor an endpoint is named")
    among = [find(routes, name)] if name else list(routes)
    if not endpoint:
        return [(among[0], among[0].endpoints)]
    found = []
    for route in among:
        address = parse_address(endpoint, route.proto)
        fitting = tuple(one for one in route.endpoints if one.address == address)
        if fitting:
            found.append((route, fitting))
    if not found:
        known = {format_address(one.address) for route in among for one in route.endpoints}
        text = endpoint.rpartition("://")[2]
        of = f" of {among[0].name}" if name else ""
        raise NotFoundError(
            Problem(
                "endpoint",
                f'there is no endpoint "{shown(endpoint)}"{of}{meant(text, known)}',
                expected=f"one of {', '.join(sorted(known))}" if known else "",
            )
        )
    return found


def parse_address(text: str, proto: Proto) -> Address | None:
    """Return the address of an endpoint, written as a URL or without its scheme; None when it is
    one of another protocol. Raises ConfigError.
    """
    if "://" not in text:
        url = f"unix://{text}" if text.startswith("/") else f"{proto}://{text}"
        return parse_endpoint(url, "endpoint").address
    endpoint = parse_endpoint(text, "endpoint")
    return endpoint.address if endpoint.proto is proto else None


def positive(seconds: float, field: str) -> None:
    """Raise ConfigError unless `seconds` is a time in which something can happen."""
    if not isfinite(seconds) or seconds <= 0:
        raise _wrong(field, "must be a number of seconds above 0", str(seconds))


def _hold(now: Situation, command: commands.Hold) -> Decision:
    route = find(now.routes, command.route)
    positive(command.timeout, "timeout")
    if command.limit < 1:
        raise _wrong("limit", "must be at least 1", str(command.limit))
    if held_by_operator(route, now.wishes.get(route.key)) is not None:
        raise ConflictError(Problem("route", f"{route.name} is held already"))
    message = f"{route.name} held"
    hold = Hold(command.timeout, command.limit)
    return Decision(_with(now, route, message, hold=hold), message, (route.name,))


def _release(now: Situation, command: commands.Release) -> Decision:
    route = find(now.routes, command.route)
    if held_by_operator(route, now.wishes.get(route.key)) is None:
        waits = ", it waits for its primary" if route.hold is not None else ""
        raise ConflictError(Problem("route", f"{route.name} is not held{waits}"))
    message = f"{route.name} released"
    return Decision(_with(now, route, message, hold=None), message, (route.name,))


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
        _put(wishes, now, route, message, admin=tuple(admin))
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
    for key, wish in now.wishes.items():  # for a route no source speaks of now
        known.setdefault(key, Route(wish.route, wish.listen, (), wish.proto))
    route = find(known.values(), command.route)
    if route.key not in now.wishes:
        raise ConflictError(Problem("route", f"{route.name} is as the sources say already"))
    wishes = {key: wish for key, wish in now.wishes.items() if key != route.key}
    return Decision(wishes, f"{route.name} reset", (route.name,))


def add(now: Situation, routes: Sequence[Route]) -> Decision:
    """Return what it comes to when `routes` are added. Raises ConflictError."""
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


def _with(now: Situation, route: Route, message: str, **fields: Any) -> dict[RouteKey, Wish]:
    """Return the wishes with that for `route` changed; one that wants nothing is dropped."""
    _put(wishes := dict(now.wishes), now, route, message, **fields)
    return wishes


def _put(
    wishes: dict[RouteKey, Wish], now: Situation, route: Route, message: str, **fields: Any
) -> None:
    """Change in `wishes` that for `route`: there may be thousands, each of which changes."""
    key = route.key
    wish = wishes.pop(key, None) or Wish(*key, route.name)
    wish = replace(wish, route=route.name, who=now.who, when=now.when, what=message, **fields)
    if not wish.empty:
        wishes[key] = wish


def _endpoints(route: Route, texts: Sequence[str]) -> tuple[Endpoint, ...]:
    if len(texts) > MOST_ENDPOINTS:
        what, expected = f"has {len(texts)} endpoints", f"at most {MOST_ENDPOINTS}"
        raise ConfigError(Problem("endpoints", what, expected=expected))
    found: list[Endpoint] = []
    seen: set[Address] = set()
    problems: list[Problem] = []
    for text in texts:
        try:
            # As `status` shows it, without the scheme; a path has its own form.
            whole = text if "://" in text or "/" in text else f"{route.proto.value}://{text}"
            endpoint = parse_endpoint(whole, "endpoints", route.proto)
        except ConfigError as error:
            problems += error.problems
            continue
        if twice := repeated(endpoint, seen, "endpoints", text):
            problems.append(twice)
        elif length(endpoint.address) != length(route.listen):
            what = f"{route.name} listens on {length(route.listen)} ports, this endpoint has "
            what += f"{length(endpoint.address)}"
            problems.append(Problem("endpoints", what, shown(format_endpoint(endpoint))))
        found.append(endpoint)
    if not texts:
        problems.append(Problem("endpoints", "is empty", expected="at least one endpoint"))
    if problems:
        raise ConfigError(*problems)
    return tuple(found)


def _plain(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Return `endpoints` as the grammar has them, without admin and health."""
    return tuple(Endpoint(e.address, e.proto, e.weight, e.backup) for e in endpoints)


def _wrong(field: str, what: str, read: str = "") -> ConfigError:
    return ConfigError(Problem(field, what, read))
