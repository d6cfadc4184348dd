"""Open sessions of another process, as text and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ambassador.errors import RunError, in_words
from ambassador.model import Proto, Route, RouteKey
from ambassador.ports import SessionStatus
from ambassador.spec import format_address, format_endpoint, parse_endpoint, parse_listen

__all__ = ["decode_sessions", "encode_sessions", "own_id"]


def encode_sessions(sessions: Iterable[SessionStatus]) -> bytes:
    """Return `sessions` as text."""
    return json.dumps(
        [
            {
                "id": one.id,
                "name": one.route.name,
                "proto": one.route.proto,
                "listen": format_address(one.route.listen),
                "client": one.client,
                "endpoint": format_endpoint(one.endpoint) if one.endpoint else "",
                "address": one.address,
                "age": one.age,
                "to_upstream": one.to_upstream,
                "to_client": one.to_client,
                "plane": one.plane,
                "state": one.state,
                "names": one.names,
            }
            for one in sessions
        ]
    ).encode()


def decode_sessions(
    text: bytes, pid: int, route_of: Callable[[RouteKey], Route | None]
) -> list[SessionStatus]:
    """Return the sessions of process `pid`, with the pid in their ids; `route_of` returns the
    present routes. Raises RunError.
    """
    try:
        return [_session(one, pid, route_of) for one in json.loads(text)]
    except Exception as error:  # a text from outside may cause any error
        raise RunError(f"sessions of process {pid} make no sense: {in_words(error)}") from error


def own_id(name: str, pid: int) -> str | None:
    """Return the id that process `pid` has for the session `name`; None when the session is in
    another process.
    """
    own, at, number = name.rpartition("@")
    return own if at and number == str(pid) else None


def _session(one: Any, pid: int, route_of: Callable[[RouteKey], Route | None]) -> SessionStatus:
    key = Proto(one["proto"]), parse_listen(one["listen"])
    url = one["endpoint"]
    endpoint = parse_endpoint(url, proto=key[0]) if url else None
    route = route_of(key) or Route(one["name"], key[1], (), key[0])
    if endpoint is not None:  # as it is in the route now, with health and admin
        same = [other for other in route.endpoints if other.address == endpoint.address]
        endpoint = replace(same[0]) if same else endpoint
    return SessionStatus(
        f"{one['id']}@{pid}",
        route,
        one["client"],
        endpoint,
        one["address"],
        one["age"],
        one["to_upstream"],
        one["to_client"],
        one["plane"],
        one["state"],
        tuple(map(str, one.get("names", ()))),
    )
