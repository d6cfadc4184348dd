"""Notes about doors and sessions, as JSON. Workers keep them for the next relay, should this one be
killed.

    a door      serial of its route, port, ways, whether the route follows a primary
    a session   serial, port, number, client, when it began, when it was connected (or null), where
                to (or null): endpoint, address, port, and the address as the name has it; whether
                its route follows a primary

Times are of the monotonic clock, which all processes share.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, TypeAlias

from ambassador.planes.relay.worker_messages import Client, Way

__all__ = [
    "DoorNote",
    "SessionNote",
    "Where",
    "door_note",
    "of_carried",
    "read_door",
    "read_session",
    "session_note",
]

Where: TypeAlias = tuple[str, str, int, str]  # endpoint, address, port, written


class SessionNote(NamedTuple):
    """See above; `client` as accept(2) tells it, or None."""

    serial: int
    port: int
    number: int
    client: Any
    started: float
    connected: float | None
    where: Where | None
    led: bool = False


class DoorNote(NamedTuple):
    """See above."""

    serial: int
    port: int
    ways: tuple[Way, ...]
    led: bool


def door_note(serial: int, port: int, ways: tuple[Way, ...] = (), *, led: bool = False) -> str:
    """Return the note of a door as text; without `ways` in the message Door, which has them."""
    return json.dumps([serial, port, ways, led])


def read_door(text: str) -> DoorNote:
    """Read a text that `door_note` has made. Raises ValueError and TypeError."""
    serial, port, ways, led = json.loads(text)
    return DoorNote(int(serial), int(port), tuple(Way(*one) for one in ways), bool(led))


def session_note(note: SessionNote) -> str:
    """Return the note of a session as text."""
    return json.dumps(note)


def read_session(text: str) -> SessionNote:
    """Read a text that `session_note` has made. Raises ValueError and TypeError."""
    serial, port, number, client, started, connected, where, led = json.loads(text)
    address = (str(client[0]), int(client[1])) if client else None
    found = where and (str(where[0]), str(where[1]), int(where[2]), str(where[3]))
    times = float(started), None if connected is None else float(connected)
    return SessionNote(int(serial), int(port), int(number), address, *times, found, bool(led))


def of_carried(
    door: str, number: int, client: Client, *, started: float, connected: float, way: Way
) -> str:
    """Return the note of a session that began at a door; `door` is the note of that door."""
    at = read_door(door)
    where = (way.endpoint, way.address, way.port, way.written) if connected else None
    when = started, connected or None
    return session_note(SessionNote(at.serial, at.port, number, client, *when, where, at.led))
