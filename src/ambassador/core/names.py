"""What routes are called.

A route has the name of its alias where that is enough. Otherwise the port is added, and where TCP
and UDP share alias and port, the protocol. The long forms are always accepted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ambassador.errors import ConfigError, NotFoundError, Problem
from ambassador.model import Inet, Route
from ambassador.spec import meant, shown

__all__ = ["find", "forms", "is_called", "named"]


def forms(alias: str, port: int, proto: str) -> tuple[str, ...]:
    """Return what a route may be called, from the shortest to the longest form."""
    if not port:
        return (alias,)
    return (alias, f"{alias}-{port}", f"{alias}-{port}-{proto}")


def is_called(name: str, alias: str, port: int, proto: str) -> bool:
    """Return whether `name` is one of the forms. Case does not matter, nor does "-" against "_": a
    variable has "_" where the name of its container or service has "-".
    """
    folded = _folded(name)
    short = (f"{alias}-{proto}",)
    return any(_folded(form) == folded for form in (*forms(alias, port, proto), *short))


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")


def _parts(route: Route) -> tuple[str, int, str]:
    port = route.port or (route.listen.port if isinstance(route.listen, Inet) else 0)
    return route.alias or route.name, port, route.proto


def named(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Return `routes` in their order with the shortest names that tell them apart."""
    routes = tuple(routes)
    possible = [forms(*_parts(route)) for route in routes]
    level = [0] * len(routes)
    while True:
        names = [options[depth] for options, depth in zip(possible, level, strict=True)]
        count = Counter(names)
        longer = [
            index
            for index, name in enumerate(names)
            if count[name] > 1 and level[index] + 1 < len(possible[index])
        ]
        if not longer:
            break
        for index in longer:
            level[index] += 1
    return tuple(
        route if route.name == name else replace(route, name=name)
        for route, name in zip(routes, _numbered(names), strict=True)
    )


def _numbered(names: Sequence[str]) -> list[str]:
    """Return `names` with -2, -3, ... added to the later ones where names are still equal."""
    taken = set(names)
    seen: set[str] = set()
    result = []
    for name in names:
        unique, number = name, 2
        while unique in seen or (unique != name and unique in taken):
            unique, number = f"{name}-{number}", number + 1
        seen.add(unique)
        result.append(unique)
    return result


def find(routes: Iterable[Route], name: str, where: str = "route") -> Route:
    """Return the route called `name`.

    Raises NotFoundError with the nearest name when there is none, ConfigError when there are
    several.
    """
    routes = tuple(routes)
    exact = [route for route in routes if route.name == name]
    if exact:
        return exact[0]
    fitting = [route for route in routes if is_called(name, *_parts(route))]
    if len(fitting) == 1:
        return fitting[0]
    names = [route.name for route in fitting or routes]
    expected = f"one of {', '.join(names)}" if names else ""
    if fitting:
        what = f'"{shown(name)}" means {len(fitting)} routes'
        raise ConfigError(Problem(where, what, expected=expected))
    what = f'there is no route "{shown(name)}"{meant(name.lower(), names)}'
    raise NotFoundError(Problem(where, what, expected=expected))
