"""Which open sessions a cut is meant for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ambassador.core.chosen import chosen, parse_address
from ambassador.core.commands import Cut
from ambassador.core.names import find
from ambassador.core.reports import SessionStatus
from ambassador.errors import ConfigError, NotFoundError, Problem
from ambassador.model import Route
from ambassador.spec import shown

__all__ = ["meant"]


def meant(
    command: Cut, sessions: Sequence[SessionStatus], routes: Sequence[Route]
) -> Sequence[SessionStatus]:
    """Return those of `sessions` that `command` means.

    Raises ConfigError, and NotFoundError where it names something that does not exist.
    """
    if command.session:
        if command.route or command.endpoint:
            raise ConfigError(Problem("session", "with a session, nothing else is named"))
        found = [one for one in sessions if one.id == command.session]
        if not found:
            what = f'there is no open session "{shown(command.session)}"'
            raise NotFoundError(Problem("session", what))
        return found
    if not command.endpoint:
        ((route, _),) = chosen(routes, command.route, "")
        return [one for one in sessions if one.route.key == route.key]
    if command.route:
        key = find(routes, command.route).key
        sessions = [one for one in sessions if one.route.key == key]
    # An endpoint that has left its route may still have sessions.
    found = [one for one in sessions if _leads_to(one, command.endpoint)]
    if not found:
        chosen(routes, command.route, command.endpoint)
    return found


def _leads_to(session: SessionStatus, endpoint: str) -> bool:
    if session.address and session.address == endpoint.rpartition("://")[2]:
        return True
    address = parse_address(endpoint, session.route.proto)
    return session.endpoint is not None and session.endpoint.address == address
