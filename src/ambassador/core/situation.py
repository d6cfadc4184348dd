"""The input of a decision about a command, and its result. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from ambassador.core.wish import Wish
from ambassador.errors import ConfigError, Problem
from ambassador.model import Desired, Route, RouteKey

__all__ = ["Decision", "Situation", "positive", "put", "wanting", "wrong"]


@dataclass(frozen=True, slots=True)
class Situation:
    """What the sources say, what is installed, what the operator has wanted until now; who gives
    the command, and when (seconds since 1970).
    """

    desired: Desired
    routes: tuple[Route, ...]
    wishes: Mapping[RouteKey, Wish]
    who: str
    when: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What the operator wants from now on; `message` describes the change, which is about
    `routes`.
    """

    wishes: Mapping[RouteKey, Wish]
    message: str
    routes: tuple[str, ...]


def wanting(now: Situation, route: Route, message: str, **fields: Any) -> dict[RouteKey, Wish]:
    """Return the wishes with these fields changed for `route`; a wish that is empty is dropped."""
    put(wishes := dict(now.wishes), now, route, message, **fields)
    return wishes


def put(
    wishes: dict[RouteKey, Wish], now: Situation, route: Route, message: str, **fields: Any
) -> None:
    """Change the wish for `route` in `wishes`, in place: a command may change thousands of
    routes.
    """
    key = route.key
    wish = wishes.pop(key, None) or Wish(*key, route.name)
    wish = replace(wish, route=route.name, who=now.who, when=now.when, what=message, **fields)
    if not wish.empty:
        wishes[key] = wish


def positive(seconds: float, field: str) -> None:
    """Raise ConfigError unless `seconds` is above 0."""
    if not isfinite(seconds) or seconds <= 0:
        raise wrong(field, "must be a number of seconds above 0", str(seconds))


def wrong(field: str, what: str, read: str = "") -> ConfigError:
    """Return the error that says `what` is wrong with `field` of a command, and what was `read`."""
    return ConfigError(Problem(field, what, read))
