"""Whether clients of a route would reach an endpoint, for a readiness check."""

from __future__ import annotations

from collections.abc import Iterable

from ambassador.core.reports import EndpointMet, RouteStatus
from ambassador.core.usable import usable
from ambassador.model import Endpoint, Health

__all__ = ["lacking", "not_working"]

_UNMET = EndpointMet()
_LISTED = 10  # of a list that may have thousands


def lacking(status: RouteStatus) -> str:
    """Return why no client of a route would reach an endpoint now; empty where one would. An
    endpoint with a probe must have answered.
    """
    route = status.route
    if route.hold is not None:
        return "it waits for its primary" if route.led else "it is held"
    if not route.endpoints:
        return "it has no endpoint"
    asked = bool(route.health) and not route.follows

    def works(endpoint: Endpoint) -> bool:
        good = endpoint.health is Health.HEALTHY if asked else not endpoint.spared
        return good and usable(endpoint) and not status.met.get(endpoint.address, _UNMET).failing

    if any(map(works, route.endpoints)):
        return ""
    unknown = asked and any(one.health is Health.UNKNOWN for one in route.endpoints)
    return "no endpoint has answered yet" if unknown else "no endpoint works"


def not_working(statuses: Iterable[RouteStatus]) -> str:
    """Return which routes have no endpoint that works, for people; empty where all have one."""
    found = [f"{one.route.name}: {why}" for one in statuses if (why := lacking(one))]
    more = len(found) - _LISTED
    return "; ".join(found[:_LISTED]) + (f"; and {more:,} more" if more > 0 else "")
