"""What a plane reports of its routes and sessions, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ambassador.model import Address, Endpoint, Health, Proto, Reason, Route

__all__ = ["AddressProbed", "EndpointMet", "RouteStatus", "SessionRecord", "SessionStatus"]


class AddressProbed(NamedTuple):
    """What probes have found at one address of a name; `reason` says why, where it is not
    healthy.
    """

    address: str
    health: Health
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EndpointMet:
    """What clients have met at one endpoint since it joined its route, counted at the sockets of
    the relay: for sessions in the kernel there are no such counts.
    """

    opened: int = 0  # sessions
    to_upstream: int = 0  # bytes
    to_client: int = 0
    failures: int = 0  # times it could not be reached
    error: str = ""  # the last reason
    failed: float = 0.0  # the time of that reason, in seconds since 1970; 0: never
    failing: bool = False  # it has not been reached since


@dataclass(frozen=True, slots=True)
class RouteStatus:
    """What a plane knows of one route now."""

    route: Route
    plane: str  # where new sessions go
    why: str  # why this plane, or what it leaves to the other; empty when there is nothing to say
    opened: int  # sessions since the route was added
    open: int  # sessions now
    refused: int  # clients without a session, and sessions that found no upstream in time
    to_upstream: int  # bytes; for sessions in the kernel with the headers of their packets
    to_client: int
    held: int = 0  # sessions that wait now because the route is held
    held_total: int = 0  # sessions that ever had to wait so
    closed: Mapping[Reason, int] = field(default_factory=dict)  # sessions that ended, and why
    # Clients that got no session, counted in `refused` as well, and why.
    turned_away: Mapping[Reason, int] = field(default_factory=dict)
    alike: str = ""  # a note that all clients appear as the gateway of the network; else empty
    # How often the relay had to take over new sessions from the kernel, by the kind of fault.
    ways_out: Mapping[str, int] = field(default_factory=dict)
    open_by_endpoint: Mapping[Address, int] = field(default_factory=dict)  # as it is written
    met: Mapping[Address, EndpointMet] = field(default_factory=dict)  # the same


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """One open session (TCP) or flow (UDP)."""

    id: str  # unique among the sessions of all planes while it is open
    route: Route
    client: str  # 192.168.1.9:40312, [fd00::9]:40312 or unix
    endpoint: Endpoint | None  # None: the session waits, or its endpoint is not known any more
    address: str  # where it is connected to; empty while it waits
    age: float | None  # seconds; None where it is unknown
    to_upstream: int
    to_client: int
    plane: str
    state: str  # held, waiting, open, leaving
    names: tuple[str, ...] = ()  # in its client's certificate, where the client came over TLS


class SessionRecord(NamedTuple):
    """A session that has ended. Times in seconds. A tuple: one is made for each session."""

    route: str
    proto: Proto
    client: str
    endpoint: Endpoint | None
    address: str  # where it was connected to; empty when it never was
    plane: str
    to_upstream: int
    to_client: int
    connected_after: float  # until it had its upstream, or gave up; 0 where it is unknown
    total: float
    reason: Reason
    detail: str  # more details; empty when there are none
    dropped: int = 0  # datagrams that could not be passed on (UDP)
    id: str = ""  # as `sessions` showed it
