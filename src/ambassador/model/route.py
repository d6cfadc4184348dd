"""Routes, endpoints and addresses with their options, one field an option.

A source yields snapshots of routes; merged, they are the desired state; a plan leads there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from ambassador.model.reasons import Existing

__all__ = [
    "Address",
    "Admin",
    "Admitted",
    "Desired",
    "Endpoint",
    "Failback",
    "Finding",
    "Follow",
    "Health",
    "Hold",
    "Inet",
    "Limit",
    "Pick",
    "Promote",
    "Proto",
    "Ranges",
    "Rate",
    "Resolve",
    "Route",
    "RouteKey",
    "Snapshot",
    "Tls",
    "Unix",
    "Verify",
]


class Proto(StrEnum):
    """What a route carries."""

    TCP = "tcp"
    UDP = "udp"


class Pick(StrEnum):
    """How a route chooses an endpoint for a new session."""

    ROUNDROBIN = "roundrobin"  # by weight, evenly spread
    LEAST = "least"  # the fewest open sessions for its weight
    FIRST = "first"  # the first that works, in the order written
    RANDOM = "random"  # by weight
    HASH = "hash"  # by the address of the client: always the same endpoint, while it works


class Resolve(StrEnum):
    """Which addresses of a name get sessions."""

    ALL = "all"
    FIRST = "first"  # the first one; the others only where it does not answer


class Verify(StrEnum):
    """Which side proves its identity over TLS."""

    BOTH = "both"  # both sides, where there is an authority to check them by
    SERVER = "server"
    NONE = "none"


class Admin(StrEnum):
    """What the operator wants of an endpoint."""

    READY = "ready"
    DRAIN = "drain"  # no new sessions; open ones finish
    MAINT = "maint"  # as if it had left the route


class Health(StrEnum):
    """What probes conclude of an endpoint."""

    UNKNOWN = "unknown"  # not probed, or not yet often enough
    HEALTHY = "healthy"  # it answers
    UNHEALTHY = "unhealthy"  # it failed to answer `fall` times in a row


class Promote(StrEnum):
    """When the new primary gets clients."""

    CONFIRMED = "confirmed"  # as soon as the authority names it
    FAST = "fast"  # once it was selected, as soon as it says itself that it is the primary


class Failback(StrEnum):
    """Whether a member that was left may get clients again without an authority that says so."""

    MANUAL = "manual"
    AUTO = "auto"  # while the one in use is gone and no other claims


@dataclass(frozen=True, slots=True)
class Hold:
    """New sessions are accepted and wait: each for at most `timeout` seconds, at most `limit` at
    once.
    """

    timeout: float = 30.0
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Inet:
    """A host and one port, or a range of ports `port`..`last` (both included).

    `host` is a name or an IP literal without brackets; empty means every address of this host,
    IPv4 and IPv6 (listen only).
    """

    host: str
    port: int
    last: int = 0  # 0: one port

    @property
    def ports(self) -> range:
        """Every port of this address, in order."""
        return range(self.port, (self.last or self.port) + 1)


@dataclass(frozen=True, slots=True)
class Unix:
    """A stream socket in the file system; `path` is absolute."""

    path: str


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count`; one more client waits so many seconds for a place; with 0 it is refused."""

    count: int
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` in `seconds`; `wait` as in `Limit`."""

    count: int
    seconds: float
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranges:
    """Addresses of one family as numbers: ranges from each of `firsts`, ascending, to its element
    of `lasts`, with a gap between any two ranges. There may be many, so two values are compared by
    their `digest`.
    """

    firsts: tuple[int, ...] = field(default=(), compare=False)
    lasts: tuple[int, ...] = field(default=(), compare=False)
    digest: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from hashlib import blake2s  # noqa: PLC0415 (2 ms; only where there are networks)

        found = blake2s(repr((self.firsts, self.lasts)).encode(), digest_size=8)
        object.__setattr__(self, "digest", found.hexdigest())


@dataclass(frozen=True, slots=True)
class Admitted:
    """The clients that may come in, by address. An IPv4-mapped IPv6 address (RFC 4291, section
    2.5.5.2) counts as the IPv4 address.
    """

    ipv4: Ranges
    ipv6: Ranges


Address = Inet | Unix
RouteKey = tuple[Proto, Address]


@dataclass(frozen=True, slots=True)
class Follow:
    """The authority that says which member of a store is the primary."""

    kind: str  # sentinel
    members: tuple[Inet, ...]  # that are asked
    name: str = ""  # the name that the sentinels have for the set


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS at an endpoint, or where a route listens."""

    verify: Verify = Verify.BOTH
    oldest: str = "1.3"  # the oldest version that is accepted: 1.2 or 1.3
    starttls: str = ""  # postgres, mysql, smtp: how TLS is requested; empty: TLS from the start


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address where traffic may go. A range of ports maps one to one onto the listen range."""

    address: Address
    proto: Proto = Proto.TCP
    weight: int = 1  # share of new sessions among endpoints of one route; at least 1
    backup: bool = False  # picked only while no endpoint without `backup` works
    proxy: int = 0  # the version of the PROXY header that is sent to it, 1 or 2; 0: none
    tls: Tls | None = None  # TLS towards it; None: in clear
    admin: Admin = Admin.READY  # set by the operator; not in the grammar
    health: Health = Health.UNKNOWN  # set by probes; not in the grammar
    down: tuple[str, ...] = ()  # addresses of its name that have failed their probes
    spared: bool = False  # unhealthy, as all of its route are, and used all the same


class Finding(NamedTuple):
    """What probes have found of an endpoint, and the addresses of its name that have failed
    them.
    """

    health: Health = Health.UNKNOWN
    down: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A named listen address with the endpoints behind it and its options. Times in seconds."""

    name: str
    listen: Address
    endpoints: tuple[Endpoint, ...]
    proto: Proto = Proto.TCP
    pick: Pick = Pick.ROUNDROBIN
    connect: float = 5.0  # a client waits at most this long for an upstream (TCP)
    idle: float = 60.0  # a UDP flow without a datagram for this long is dropped
    source: tuple[str, ...] = ()  # addresses of this host to connect from; none: the kernel chooses
    keepalive: float = 60.0  # seconds of silence before TCP probes the peer; 0: never
    existing: Existing = Existing()  # policy for open sessions of an endpoint that has left (TCP)
    allow: tuple[str, ...] = ()  # networks and @files that may come in; none: no rule
    deny: tuple[str, ...] = ()  # networks and @files that may not come in, though allowed
    proxy: tuple[str, ...] = ()  # networks that may send a PROXY header; none: no client may
    limit: Limit | None = None  # open sessions
    limit_client: Limit | None = None  # open sessions of one client (IPv4 address or IPv6 /64)
    rate: Rate | None = None  # new sessions
    ban: Rate | None = None  # a client that is refused so often gets no session for so long
    health: str = ""  # the probe of its endpoints; empty: none
    interval: float = 2.0  # seconds between two probes of one address
    rise: int = 2  # so many good answers in a row make an unhealthy endpoint healthy
    fall: int = 3  # so many bad answers in a row make an endpoint unhealthy
    slow_start: float = 0.0  # seconds until a new endpoint gets its full share
    resolve: Resolve = Resolve.ALL
    panic: bool = False  # where all endpoints are unhealthy, they are used all the same
    lag: float = 10.0  # a replica that is further behind its primary is unhealthy
    follow: Follow | None = None  # the authority that says which member is the primary
    user: str = ""  # the user that probes log in as
    password_file: str = ""  # the path of the file with the password
    sentinel_user: str = ""  # the user at the sentinels
    sentinel_password_file: str = ""
    health_tls: str = ""  # probes use TLS: "yes", or a file of authorities; empty: no TLS
    none: float | None = None  # how long clients wait for a primary; None: `connect`; 0: not at all
    promote: Promote = Promote.CONFIRMED
    failback: Failback = Failback.MANUAL
    hold: Hold | None = None  # of the operator, or of the follower; not in the grammar
    members: tuple[Endpoint, ...] = ()  # `endpoints` as they are written, where a follower leads
    led: bool = False  # `endpoints` are the primary, found by a follower
    service: str = ""  # the name of its endpoints in etcd; empty: they are as written
    placed: bool = False  # `endpoints` are those that are in etcd now
    admitted: Admitted | None = None  # the result of allow and deny; None: every client may come in
    tls: Tls | None = None  # how clients speak TLS; None: in clear
    peers: tuple[str, ...] = ()  # identities and @files that may come in; none: all
    identities: tuple[str, ...] = ()  # the result of peers, where there are files
    alias: str = ""  # the name from the user, before a port was added to tell routes apart
    port: int = 0  # the port in the name of the link variable, wherever the route listens; 0: none
    origin: str = field(default="", compare=False)  # "environment variable REDIS_PORT_6379_TCP"

    @property
    def key(self) -> RouteKey:
        """What identifies the route, whatever else of it changes."""
        return self.proto, self.listen

    @property
    def let_in(self) -> tuple[str, ...]:
        """The identities that may come in; none: all."""
        return self.identities or self.peers

    @property
    def follows(self) -> bool:
        """Whether its clients go to the primary of a replicated store."""
        return self.follow is not None or self.health.endswith("-primary")

    def endpoint_port(self, endpoint: Endpoint, listen_port: int) -> int:
        """Return the port of `endpoint` that belongs to `listen_port` of a range (0 for unix)."""
        if not isinstance(endpoint.address, Inet):
            return 0
        if not isinstance(self.listen, Inet):
            return endpoint.address.port
        return endpoint.address.port + listen_port - self.listen.port


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that one source says at one moment: complete, never a difference.

    `notes` are remarks for the user that are no errors ("REDIS_PORT_6379_TCP is empty: counted as
    not set"). The routes of a source that `yields` may come and go at any time, and give way where
    others listen already; what cannot be used of it is `left_out`, each entry with its reason.
    """

    source: str
    routes: tuple[Route, ...]
    notes: tuple[str, ...] = ()
    yields: bool = False
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Desired:
    """The merged routes of all sources by name; no two have the same listen address."""

    routes: tuple[Route, ...] = ()
