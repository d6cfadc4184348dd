"""The notes on a finished command: which sessions stay where, and until when."""

from __future__ import annotations

from collections.abc import Sequence

from ambassador.core.describe import describe_endpoint, listed
from ambassador.core.moving import MovePlan
from ambassador.core.usable import usable
from ambassador.model import Endpoint, Fate, Reason, Route
from ambassador.ports import RouteStatus
from ambassador.spec import format_address, format_existing
from ambassador.spec.moments import format_moment

__all__ = [
    "checked",
    "counted",
    "cut_begun",
    "drain_begun",
    "left_behind",
    "moved",
    "would_move",
]


def counted(sessions: int) -> str:
    """Return `1 session`, `2 sessions`."""
    return "1 session" if sessions == 1 else f"{sessions} sessions"


def cut_begun(sessions: int, rate: int, now: float) -> str:
    """Return the text for a cut at a `rate` that has begun at `now` (seconds since 1970)."""
    until = format_moment(now + sessions / rate)
    return f"{counted(sessions)} to cut, {rate} a second, until {until}"


def drain_begun(
    found: Sequence[tuple[Route, Sequence[Endpoint]]],
    statuses: Sequence[RouteStatus],
    deadline: float,
    now: float,
) -> tuple[str, int]:
    """Return the text for a drain of the endpoints `found`, and the number of their open sessions.
    `deadline` is in seconds from `now` (since 1970); 0: none.
    """
    drained = {route.key: endpoints for route, endpoints in found}
    count = sum(
        status.open_by_endpoint.get(endpoint.address, 0)
        for status in statuses
        for endpoint in drained.get(status.route.key, ())
    )
    text = f"{count} open"
    if deadline:
        text += f", until {format_moment(now + deadline)}"
    alone = [s.route.name for s in statuses if not any(map(usable, s.route.endpoints))]
    if alone:
        text += f"; no endpoint of {listed(alone)} takes new sessions now"
    return text, count


def moved(it: MovePlan, status: RouteStatus, *, kept: bool) -> tuple[str, ...]:
    """Return the notes on a move: which sessions stay where they were, and, where the move is not
    `kept`, until when it lasts.
    """
    policy = format_existing(it.existing or status.route.existing)
    notes = [
        f"{counted(count)} still at {where} (existing: {policy})"
        for where, count in _left(it, status)
    ]
    if not kept:
        notes.append("without AMBASSADOR_STATE it is so until the ambassador ends")
    return tuple(notes)


def left_behind(it: MovePlan, status: RouteStatus) -> int:
    """Return how many sessions are open at endpoints that a move leaves."""
    return sum(count for _, count in _left(it, status))


def would_move(it: MovePlan) -> str:
    """Return the text for a move that is only checked."""
    where = ", ".join(map(describe_endpoint, it.endpoints))
    return f"{it.route.name} would move to {where}; nothing has changed"


def checked(
    it: MovePlan, status: RouteStatus, plane: tuple[str, str], *, verified: bool
) -> tuple[str, ...]:
    """Return the notes on a move that was only checked: whether the new endpoints have answered,
    what would happen to which sessions, and which plane would carry new ones, and why.
    """
    where = ", ".join(format_address(endpoint.address) for endpoint in it.asked)
    notes = [f"{where} {'answers' if len(it.asked) == 1 else 'answer'}" if verified else ""]
    if not verified:
        notes = ["whether the new endpoints answer was not asked"]
    policy = it.existing or status.route.existing.of(Reason.MOVED)
    fate = _FATES[policy.fate]
    found = [
        f"{counted(count)} at {address} {fate[count != 1]} (existing: {format_existing(policy)})"
        for address, count in _left(it, status)
    ]
    notes += found or ["no session is open at an endpoint that leaves"]
    word, why = plane
    notes.append(f"plane {word}{f' ({why})' if why else ''} for new sessions")
    return tuple(notes)


# What happens to one session, and to several.
_FATES = {
    Fate.KEEP: ("goes on there", "go on there"),
    Fate.DRAIN: ("goes on there for a while, then is cut", "go on there for a while, then are cut"),
    Fate.CUT: ("is cut", "are cut"),
}


def _left(it: MovePlan, status: RouteStatus) -> list[tuple[str, int]]:
    """Return the addresses that a move leaves, and how many sessions are open at each."""
    here = {endpoint.address for endpoint in it.endpoints}
    return [
        (format_address(endpoint.address), count)
        for endpoint in it.route.endpoints
        if endpoint.address not in here
        and (count := status.open_by_endpoint.get(endpoint.address, 0))
    ]
