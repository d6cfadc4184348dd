"""What a plane tells of its routes and sessions, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ambassador.model import Address, Endpoint, Health, Proto, Reason, Route

__all__ = ["AddressProbed", "EndpointMet", "RouteStatus", "SessionRecord", "SessionStatus"]


class AddressProbed(NamedTuple):
    """What probes have found at one address of a name; why, where it is no good."""

    address: str
    health: Health
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EndpointMet:
    """What clients have met at one endpoint since it is in its route, through sockets: of sessions
    in the kernel nobody counts these.
    """

    opened: int = 0  # sessions
    to_upstream: int = 0  # bytes
    to_client: int = 0
    failures: int = 0  # times it could not be reached
    error: str = ""  # the last reason
    failed: float = 0.0  # when that was, in seconds since 1970; 0: never
    failing: bool = False  # it has not been reached since


@dataclass(frozen=True, slots=True)
class RouteStatus:
    """What a plane knows of one route now."""

    route: Route
    plane: str  # what new sessions meet
    why: str  # why this plane, or what it leaves to another; empty when there is nothing to say
    opened: int  # sessions since the route was added
    open: int  # sessions now
    refused: int  # clients without a session, and sessions that found no upstream in time
    to_upstream: int  # bytes; those in the kernel with the headers of their packets
    to_client: int
    held: int = 0  # sessions that wait now because the route is held
    held_total: int = 0  # those that ever had to
    closed: Mapping[Reason, int] = field(default_factory=dict)  # sessions that ended, and why
    # Clients that got no session, which are among the refused, and why.
    turned_away: Mapping[Reason, int] = field(default_factory=dict)
    alike: str = ""  # that all clients look like the gateway of the network; empty: they do not
    # How often the relay has had to take over what the kernel leads, by the kind of fault.
    ways_out: Mapping[str, int] = field(default_factory=dict)
    open_by_endpoint: Mapping[Address, int] = field(default_factory=dict)  # as they are written
    met: Mapping[Address, EndpointMet] = field(default_factory=dict)  # the same


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """One open session (TCP) or flow (UDP)."""

    id: str  # of no other session of any plane while it lives
    route: Route
    client: str  # 192.168.1.9:40312, [fd00::9]:40312 or unix
    endpoint: Endpoint | None  # None: it waits, or its endpoint is no longer known
    address: str  # what it is connected to; empty while it waits
    age: float | None  # seconds; None where nobody knows
    to_upstream: int
    to_client: int
    plane: str
    state: str  # held, waiting, open, leaving
    names: tuple[str, ...] = ()  # of its client's certificate, where it came over TLS


class SessionRecord(NamedTuple):
    """A session that has ended. Times in seconds. A tuple: one is made for each session."""

    route: str
    proto: Proto
    client: str
    endpoint: Endpoint | None
    address: str  # what it was connected to; empty when it never was
    plane: str
    to_upstream: int
    to_client: int
    connected_after: float  # until it had its upstream, or gave up; 0 where nobody knows
    total: float
    reason: Reason
    detail: str  # what more there is to say; empty when there is nothing to add
    dropped: int = 0  # datagrams that could not be passed on (UDP)
    id: str = ""  # as `sessions` showed it
