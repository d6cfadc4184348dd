"""What the operator has changed, as data laid over what the sources say.

The sources' routes are never altered: a reload keeps the wishes, `reset` drops them, and the
difference can be shown at any time. A wish is kept by the listen address of its route, as is
everything of a route that outlives a change (see `plan`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ambassador.core.merge import merge
from ambassador.core.usable import spared
from ambassador.model import (
    Address,
    Admin,
    Desired,
    Endpoint,
    Finding,
    Hold,
    Proto,
    Route,
    RouteKey,
    Snapshot,
)
from ambassador.spec import format_address, format_endpoints
from ambassador.spec.moments import format_moment

if TYPE_CHECKING:
    from ambassador.core.follow.lead import Lead

__all__ = [
    "Leads",
    "Placed",
    "Verdicts",
    "Wish",
    "altered",
    "difference",
    "effective",
    "held_by_operator",
    "judged",
    "judged_route",
    "led",
    "without",
]

# Where followers lead routes.
Leads = Mapping[RouteKey, "Lead"]
_NONE: Leads = {}
# Returns a route, as it is written, with the endpoints that its service has now.
Placed = Callable[[Route], Route]
# What probes say of an endpoint of a route, by its address as it is written.
_NOTHING = Finding()
Verdicts = Mapping[tuple[RouteKey, Address], Finding]


@dataclass(frozen=True, slots=True)
class Wish:
    """All that the operator has changed for one route, and the last time it was changed."""

    proto: Proto
    listen: Address
    route: str  # its name when the wish was made
    who: str = ""
    when: float = 0.0  # seconds since 1970
    what: str = ""  # the last change, in a sentence
    endpoints: tuple[Endpoint, ...] | None = None  # moved
    admin: tuple[tuple[Address, Admin], ...] = ()  # by the address as it is written
    hold: Hold | None = None
    added: Route | None = None  # a route that is in no source
    removed: bool = False

    @property
    def key(self) -> RouteKey:
        """Where the route listens."""
        return self.proto, self.listen

    @property
    def empty(self) -> bool:
        """Whether the operator has changed nothing."""
        return not (
            self.endpoints is not None or self.admin or self.hold or self.added or self.removed
        )


def _as_written(route: Route) -> Route:
    return route


def led(route: Route, lead: Lead | None) -> Route:
    """Return `route`, as it is written, with `lead` applied; unchanged where it follows nothing."""
    if not route.follows:
        return route
    from ambassador.core.follow.lead import led as _led  # noqa: PLC0415 (where one follows)

    return _led(route, lead)


def effective(
    desired: Desired,
    wishes: Mapping[RouteKey, Wish],
    leads: Leads = _NONE,
    placed: Placed = _as_written,
) -> Desired:
    """Return what the planes are to have: `desired` as followers lead it, with endpoints from
    `placed`, altered by `wishes`.

    An added route listens where no source's route does; if a source now has a route there, the
    source's route counts. A wish for a route that does not exist is kept for it. Raises ConfigError
    where routes would listen on one address, or lead to themselves.
    """
    there = {route.key for route in desired.routes}
    added = [
        wish.added
        for wish in wishes.values()
        if wish.added is not None and wish.key not in there and not wish.removed
    ]
    routes = [
        one
        for route in (*desired.routes, *added)
        if (one := altered(placed(led(route, leads.get(route.key))), wishes.get(route.key)))
        is not None
    ]
    return merge([Snapshot("sources and operator", tuple(routes))])


def altered(route: Route, wish: Wish | None) -> Route | None:
    """Return `route` with `wish` applied; None when it is removed."""
    if wish is None:
        return route
    if wish.removed:
        return None
    endpoints = route.endpoints if wish.endpoints is None else wish.endpoints
    admin = dict(wish.admin)
    endpoints = tuple(
        replace(endpoint, admin=admin.get(endpoint.address, Admin.READY)) for endpoint in endpoints
    )
    if wish.endpoints is not None:  # the operator alone decides
        return replace(route, endpoints=endpoints, hold=wish.hold, led=False, placed=False)
    return replace(route, endpoints=endpoints, hold=wish.hold or route.hold)


def judged(desired: Desired, verdicts: Verdicts) -> Desired:
    """Return `desired` with what probes say of its endpoints."""
    if not verdicts:
        return desired
    return Desired(tuple(judged_route(route, verdicts) for route in desired.routes))


def judged_route(route: Route, verdicts: Verdicts) -> Route:
    """Return `route` with what probes say of its endpoints."""
    key = route.key
    endpoints = tuple(
        replace(endpoint, **verdicts.get((key, endpoint.address), _NOTHING)._asdict())
        for endpoint in route.endpoints
    )
    endpoints = spared(endpoints, route.panic)
    return replace(route, endpoints=endpoints) if endpoints != route.endpoints else route


def held_by_operator(route: Route, wish: Wish | None) -> Hold | None:
    """Return how the operator holds `route`; None where it waits only for its primary, or for an
    endpoint of its service.
    """
    if not route.led and not route.placed:
        return route.hold
    return None if wish is None else wish.hold


def without(wishes: Mapping[RouteKey, Wish], keys: Iterable[RouteKey]) -> dict[RouteKey, Wish]:
    """Return `wishes` without those of `keys`."""
    gone = set(keys)
    return {key: wish for key, wish in wishes.items() if key not in gone}


def difference(source: Route | None, wish: Wish | None) -> str:
    """Return how a route differs from what the sources say (`source`, None where it is in none),
    for people; empty where it does not.
    """
    if wish is None or wish.empty:
        return ""
    parts = []
    if wish.removed:
        parts.append("removed")
    if wish.added is not None and source is None:
        parts.append("added")
    if wish.endpoints is not None:
        parts.append("moved")
    parts += [f"{format_address(address)} in {admin}" for address, admin in wish.admin]
    if wish.hold is not None:
        parts.append("held")
    if not parts:
        return ""
    text = f"{', '.join(parts)} by {wish.who or 'operator'} at {format_moment(wish.when)}"
    if source is None:
        return text
    return f"{text}; {source.origin or 'the source'} says {format_endpoints(source.endpoints)}"
