"""Which routes a change touches, so that thousands of others need not be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ambassador.core.wish import Placed, Verdicts, Wish, altered, judged_route, led
from ambassador.model import Route, RouteKey

if TYPE_CHECKING:
    from ambassador.core.follow.lead import Lead

__all__ = ["route_as_wanted", "touched"]


def touched(
    before: Mapping[RouteKey, Wish], wishes: Mapping[RouteKey, Wish]
) -> set[RouteKey] | None:
    """Return the routes whose wish differs between `before` and `wishes`; None where this adds or
    removes a route, which may change the names of other routes and where they listen.
    """
    keys = {key for key in (*before, *wishes) if before.get(key) is not wishes.get(key)}
    if any(_presence(before.get(key)) != _presence(wishes.get(key)) for key in keys):
        return None
    return keys


def route_as_wanted(
    installed: Route,
    source: Route | None,
    wish: Wish | None,
    verdicts: Verdicts,
    lead: Lead | None = None,
    *,
    placed: Placed = lambda route: route,
) -> Route:
    """Return the `installed` route as it is to be: as `source` says it (None: the route was added
    by `wish`), with the endpoints of its follower or its service (`placed`), with the operator's
    `wish`, and with what probes say.
    """
    said = source or (wish.added if wish is not None else None)
    if said is None:  # as it was written, before a follower changed it
        said = replace(installed, endpoints=installed.members or installed.endpoints)
    route = altered(placed(led(said, lead)), wish) or installed
    return judged_route(replace(route, name=installed.name), verdicts)


def _presence(wish: Wish | None) -> tuple[Route | None, bool]:
    return (None, False) if wish is None else (wish.added, wish.removed)
