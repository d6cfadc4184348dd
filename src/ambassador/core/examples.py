"""What to type in place of a command that was wrong: each error of one has an example. Pure.

An example is the command line of a verb. The field with the error is corrected, and the rest stays
as it was typed; for a command that contradicts the present state, the example shows how to see, or
to end, that state.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from ambassador.core.commands import (
    Add,
    Command,
    Cut,
    Drain,
    History,
    Hold,
    Maint,
    Move,
    Ready,
    Release,
    Reset,
    Sessions,
    Status,
    Undo,
    word,
)
from ambassador.core.names import find
from ambassador.errors import ConfigError, ConflictError, Problem
from ambassador.model import Endpoint, Route, Unix
from ambassador.spec import format_endpoint, nearest

__all__ = ["typed", "with_examples"]

_MOST_ASSIGNMENTS = 8  # in one example
_ASSIGNMENT = "REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379"
_FLAGS: Mapping[str, str] = {
    "timeout": "--timeout",
    "deadline": "--deadline",
    "limit": "--max",
    "rate": "--rate",
    "existing": "--existing",
    "change": "--change",
}


def typed(command: Command) -> str:
    """Return the line to type for `command`, fit for a shell."""
    words = ["ambassador", word(command)]
    for name in ("route", "endpoint", "session"):
        words += filter(None, [getattr(command, name, "")])
    for name in ("endpoints", "assignments"):
        words += getattr(command, name, ())
    if isinstance(command, Reset) and not command.route:
        words.append("--all")
    standard = {one.name: one.default for one in fields(command)}
    for name, flag in _FLAGS.items():
        value = getattr(command, name, None)
        if name not in standard or value == standard[name]:
            continue
        words.append("--limit" if isinstance(command, (Sessions, History)) else flag)
        words += [f"{value:g}s" if isinstance(value, float) else str(value)]
    if isinstance(command, (Move, Undo)):
        words += ["--hold"] * command.hold + ["--no-verify"] * (not command.verify)
    if isinstance(command, Move):
        words += ["--check"] * command.check
        words += [word for one in command.from_ for word in ("--from", one)]
    return shlex.join(words)


def with_examples(error: ConfigError, command: Command, routes: Sequence[Route]) -> ConfigError:
    """Return `error` of `command` with an example for each problem, among `routes`."""
    route = _route(command, routes) if routes else None
    problems = (
        replace(problem, example=_example(error, problem, command, route))
        for problem in error.problems
    )
    return type(error)(*problems, notes=error.notes)


def _example(error: ConfigError, problem: Problem, command: Command, route: Route | None) -> str:
    if problem.expected.startswith("ambassador "):  # ambassador reset redis, which ...
        return problem.expected.partition(",")[0]
    if isinstance(command, Add) or (route and isinstance(error, ConflictError)):
        return typed(_instead(error, problem, command))
    if route is None:
        return typed(Reset() if isinstance(command, Reset) else Add((_ASSIGNMENT,)))
    field = problem.where.partition("[")[0]
    right = _RIGHT[field](command, route) if field in _RIGHT else {}
    known = {one.name for one in fields(command)}
    values = {name: value for name, value in right.items() if name in known}
    if problem.example and field in values:  # the error comes with an example of the grammar
        example = problem.example
        values[field] = (example,) if isinstance(values[field], tuple) else example
    if field == "session":
        return typed(Sessions())
    return typed(replace(command, **values)) if values else f"ambassador {word(command)} --help"


def _route(command: Command, routes: Sequence[Route]) -> Route:
    name = getattr(command, "route", "")
    try:
        return find(routes, name)
    except ConfigError:
        near = nearest(name.lower(), [route.name for route in routes])
        return next((one for one in routes if one.name == near), routes[0])


def _instead(error: ConfigError, problem: Problem, command: Command) -> Command:
    """Return what to type where `command` contradicts the present state, or adds something that is
    no route.
    """
    if isinstance(command, Hold):
        return Release(command.route)
    if isinstance(command, Add):
        wrong = not isinstance(error, ConflictError)
        return Add(_assignments(problem, command)) if wrong else Status()
    return Status(getattr(command, "route", ""))


def _assignments(problem: Problem, command: Add) -> tuple[str, ...]:
    """Return the assignments of `command` with the wrong one corrected."""
    wrong = problem.where.rpartition(" ")[2]  # argument REDIS_PORT_6379_TCP_LISTEN
    names = [one.partition("=")[0] for one in command.assignments]
    if "=" not in problem.example or wrong not in names or len(names) > _MOST_ASSIGNMENTS:
        return (problem.example or _ASSIGNMENT,)
    pairs = zip(names, command.assignments, strict=True)
    return tuple(problem.example if name == wrong else one for name, one in pairs)


def _endpoint(command: Command, route: Route) -> Mapping[str, Any]:
    if isinstance(command, (Drain, Maint, Ready, Cut)):
        return {"route": route.name, "endpoint": format_endpoint(route.endpoints[0])}
    return {"endpoints": (format_endpoint(_elsewhere(route.endpoints[0])),)}


def _elsewhere(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint of the same form to move to."""
    here = endpoint.address
    if isinstance(here, Unix):
        return Endpoint(Unix(f"{here.path}.2"), endpoint.proto)
    host = "192.168.1.54" if here.host == "192.168.1.53" else "192.168.1.53"
    return Endpoint(replace(here, host=host), endpoint.proto)


_RIGHT: Mapping[str, Callable[[Command, Route], Mapping[str, Any]]] = {
    "route": lambda _, route: {"route": route.name},
    "endpoint": _endpoint,
    "endpoints": _endpoint,
    "timeout": lambda _, __: {"timeout": 20.0},
    "deadline": lambda _, __: {"deadline": 30.0},
    "limit": lambda _, __: {"limit": 100},
    "rate": lambda _, __: {"rate": 50},
    "change": lambda _, __: {"change": 0},
    "from": lambda _, __: {"from_": ()},
    "existing": lambda _, route: {"existing": "" if str(route.proto) == "udp" else "drain=30s"},
}
