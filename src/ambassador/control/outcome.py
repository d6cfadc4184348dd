"""What there is to say of a command that is done: which sessions are still where, until when."""

from __future__ import annotations

from collections.abc import Sequence

from ambassador.core.describe import listed
from ambassador.core.moving import MovePlan
from ambassador.core.usable import usable
from ambassador.model import Endpoint, Route
from ambassador.ports import RouteStatus
from ambassador.spec import format_address, format_existing
from ambassador.spec.moments import format_moment

__all__ = ["counted", "cut_begun", "drain_begun", "moved"]


def counted(sessions: int) -> str:
    """Return `1 session`, `2 sessions`."""
    return "1 session" if sessions == 1 else f"{sessions} sessions"


def cut_begun(sessions: int, rate: int, now: float) -> str:
    """Return what a cut at a `rate` has begun to do at `now` (seconds since 1970)."""
    until = format_moment(now + sessions / rate)
    return f"{counted(sessions)} to cut, {rate} a second, until {until}"


def drain_begun(
    found: Sequence[tuple[Route, Sequence[Endpoint]]],
    statuses: Sequence[RouteStatus],
    deadline: float,
    now: float,
) -> tuple[str, int]:
    """Return what there is to say of a drain of the endpoints `found`, and their open sessions.
    `deadline` in seconds from `now` (since 1970); 0: none.
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
    """Return what there is to say of a move: which sessions are still where it was, and, where it
    is not `kept`, how long it is so.
    """
    here, notes = {endpoint.address for endpoint in it.endpoints}, []
    for endpoint in it.route.endpoints:
        count = status.open_by_endpoint.get(endpoint.address, 0)
        if count and endpoint.address not in here:
            policy = format_existing(it.existing or status.route.existing)
            where = format_address(endpoint.address)
            notes.append(f"{counted(count)} still at {where} (existing: {policy})")
    if not kept:
        notes.append("without AMBASSADOR_STATE it is so until the ambassador ends")
    return tuple(notes)
