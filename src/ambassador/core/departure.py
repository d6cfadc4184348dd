"""Why open sessions whose endpoint has left their route leave, and when they are ended.

One decision for every plane: the relay, the kernel and earlier processes call `cause`. All sessions
get a grace period; the sessions left after it are ended one by one, evenly spaced.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import NamedTuple

from ambassador.core.usable import is_lost, keeps
from ambassador.model import Address, Admin, Existing, Fate, Reason, Route

__all__ = [
    "LAST_PART",
    "STANDING",
    "Departure",
    "Look",
    "Standing",
    "cause",
    "due",
    "grace",
    "rest",
]

# The share of a drain over which the remaining sessions are cut, so that their clients reconnect
# spread out.
LAST_PART = 0.2


class Standing(Enum):
    """Whether the route still has a place for an open session, whatever the session is doing."""

    HERE = auto()  # its endpoint is in the route
    LEAVING = auto()  # its endpoint has left: the session follows the policy of that moment


class Look(Enum):
    """What a look at the route has found."""

    THERE = auto()  # the endpoint of the session, at the address the session is connected to
    GONE = auto()  # the endpoint is gone, or it is at another address


# A session that begins to leave ends by the policy of that moment; a session that is HERE again is
# not ended.
STANDING: dict[tuple[Standing, Look], Standing] = {
    (Standing.HERE, Look.THERE): Standing.HERE,
    (Standing.HERE, Look.GONE): Standing.LEAVING,
    (Standing.LEAVING, Look.GONE): Standing.LEAVING,
    (Standing.LEAVING, Look.THERE): Standing.HERE,
}

_WORDS = {
    Reason.MOVED: "its endpoint left the route",
    Reason.DEMOTED: "its endpoint is the primary no longer",
    Reason.MAINT: "its endpoint is in maintenance",
    Reason.UNHEALTHY: "its endpoint is unhealthy",
    Reason.REMOVED: "the route was removed",
    Reason.DENIED: "their clients may not come in any longer",
}


class Departure(NamedTuple):
    """Why sessions leave, and what happens to open ones."""

    reason: Reason
    existing: Existing

    @property
    def words(self) -> str:
        """The reason in the words of the log."""
        return _WORDS[self.reason]


def cause(
    address: Address | None,
    route: Route,
    *,
    removed: bool = False,
    once: Existing | None = None,
    place: tuple[str, int] | None = None,
) -> Departure:
    """Return why a session leaves that is connected to an endpoint with this `address`, as it is
    written (None: it is not known), when `route` no longer has a place for it.

    `route` is as it is now, or as it was last where it was `removed`. `once` is the policy of the
    change that removed the endpoint, where it differs from the route's own: it counts only where
    the endpoint has left the route. `place` is where the session is connected to.
    """
    if removed:
        return Departure(Reason.REMOVED, route.existing.of(Reason.REMOVED))
    for endpoint in route.endpoints:
        if endpoint.address == address and (
            not keeps(endpoint) or (place is not None and is_lost(endpoint, place))
        ):
            reason = Reason.MAINT if endpoint.admin is Admin.MAINT else Reason.UNHEALTHY
            return Departure(reason, route.existing.of(reason))
    reason = Reason.DEMOTED if route.led else Reason.MOVED
    return Departure(reason, (once or route.existing).of(reason))


def grace(existing: Existing) -> float | None:
    """Return for how many seconds every session may go on; None: without limit."""
    match existing.fate:
        case Fate.KEEP:
            return None
        case Fate.DRAIN:
            return existing.seconds * (1 - LAST_PART)
        case Fate.CUT:
            return 0.0


def rest(existing: Existing, elapsed: float) -> tuple[float, Existing]:
    """Return what is left of a departure `elapsed` seconds after it began: for how many seconds all
    sessions may still go on, and the policy by which the remaining ones end after that (see `due`).
    """
    wait = (grace(existing) or 0.0) - elapsed
    if wait >= 0 or existing.fate is not Fate.DRAIN:
        return max(0.0, wait), existing
    return 0.0, replace(existing, seconds=max(0.0, existing.seconds - elapsed) / LAST_PART)


def due(existing: Existing, count: int, elapsed: float) -> int:
    """Return how many of `count` sessions, left at the end of the grace period, must have ended
    `elapsed` seconds after it.

    At a rate, or within the last part of a drain, the first session ends at once; the last session
    of a drain ends before its time is over.
    """
    match existing.fate:
        case Fate.KEEP:
            return 0
        case Fate.DRAIN:
            last_part = existing.seconds * LAST_PART
            share = elapsed / last_part if last_part > 0 else 1.0
            return min(count, int(share * count) + 1)
        case Fate.CUT:
            return min(count, int(elapsed * existing.rate) + 1) if existing.rate else count
