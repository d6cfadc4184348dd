"""Parts of the text that `outgoing` writes, and how they are read again."""

from __future__ import annotations

import json
import socket
from typing import Any

from ambassador.core.proxy.header import Header, Place
from ambassador.core.session import Event, State
from ambassador.errors import RunError, in_words
from ambassador.model import Route
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.passing import VERSION
from ambassador.planes.relay.pktinfo import Ancillary
from ambassador.planes.relay.worker_messages import Passed, PassedSide
from ambassador.spec import parse_endpoint

__all__ = [
    "ancillary_of",
    "candidate_of",
    "closed_socket",
    "header_of",
    "passed_of",
    "read",
    "senseless",
    "written",
]


def read(text: bytes) -> dict[str, Any]:
    """Read the text of a piece, or of the state. Raises ValueError, KeyError and TypeError."""
    said = json.loads(text)
    if said["version"] != VERSION:
        raise ValueError(f"it is of version {said['version']}; here it is {VERSION}")
    return dict(said)


def passed_of(known: list[Any]) -> Passed:
    """Return the state of a session. Raises ValueError, KeyError and TypeError."""
    version, state, event, client, upstream = known
    sides = PassedSide(*client), PassedSide(*upstream)
    return Passed(int(version), State[state], Event[event], *sides)


def candidate_of(route: Route, url: str, address: str, port: int, written: str) -> Candidate:
    """Return where another process has connected a session of `route`: `url` is the endpoint as it
    is written, `address` and `port` one of its addresses; `written`: see Candidate. Raises
    ConfigError.
    """
    endpoint = parse_endpoint(url, proto=route.proto)
    for one in route.endpoints:  # as it is in the route now, with health and admin
        if one.address == endpoint.address:
            endpoint = one
    return Candidate(endpoint, str(address), int(port), None, str(written))


def written(header: Header) -> list[Any]:
    """Write the PROXY header that a client has sent; see `header_of`."""
    rest = (header.alpn, header.authority, header.unique_id, header.tls)
    return [header.source, header.destination, *(one.hex() for one in rest)]


def header_of(known: list[Any]) -> Header:
    """Read what `written` has made. Raises ValueError and TypeError."""
    source, destination, *rest = known

    def place(one: list[Any] | None) -> Place | None:
        return None if one is None else (str(one[0]), int(one[1]))

    return Header(place(source), place(destination), *map(bytes.fromhex, rest))


def ancillary_of(known: list[Any]) -> Ancillary:
    """Read the ancillary data for answers of a flow; see pktinfo. Raises ValueError, TypeError."""
    return tuple((int(level), int(kind), bytes.fromhex(data)) for level, kind, data in known)


def closed_socket() -> socket.SocketType:
    """Return a closed socket, for a side that has closed."""
    sock = socket.SocketType()
    sock.close()
    return sock


def senseless(error: Exception) -> RunError:
    """Return the error to raise where `error` came up while such a text was read."""
    return RunError(f"what the previous ambassador hands over makes no sense: {in_words(error)}")
