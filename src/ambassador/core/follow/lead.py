"""What a follower has found, laid over the route as it is written."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ambassador.core.follow.memory import Memory
from ambassador.core.follow.stage import Stance
from ambassador.model import Endpoint, Hold, Inet, Route

__all__ = ["MOST_HELD", "UNKNOWN", "Lead", "led"]

MOST_HELD = 100_000  # clients of one route; file descriptors run out before that


@dataclass(frozen=True, slots=True)
class Lead:
    """Where the clients of a followed route go: to `primary`, as `stance` says.

    `cause` is a word for metrics, `why` the evidence in a sentence; `memory` is what has to be
    known after a restart.
    """

    primary: Inet | None
    stance: Stance
    cause: str
    why: str
    memory: Memory | None = None


UNKNOWN = Lead(None, Stance.CUT, "start", "no primary has been found yet")


def led(route: Route, lead: Lead | None) -> Route:
    """Return `route`, as it is written, with `lead` applied; unchanged where it follows nothing."""
    if not route.follows:
        return route
    lead = lead or UNKNOWN
    endpoints: tuple[Endpoint, ...] = ()
    if lead.primary is not None and lead.stance is not Stance.CUT:
        endpoints = (Endpoint(lead.primary),)
    hold = None if lead.stance is Stance.LET else _hold(route)
    return replace(route, endpoints=endpoints, members=route.endpoints, led=True, hold=hold)


def _hold(route: Route) -> Hold:
    if route.none == 0:
        return Hold(0.0, 0)
    return Hold(route.connect if route.none is None else route.none, MOST_HELD)
