"""What is known of one endpoint of a route, and the addresses a session may connect to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ambassador.core.admission import admits
from ambassador.core.limits import Limits, is_limited
from ambassador.core.located import at
from ambassador.model import Address, Endpoint, Inet, Reason, Route
from ambassador.planes.relay.gateway import Alike
from ambassador.planes.relay.limit_queue import LimitQueue
from ambassador.planes.relay.turned_away import TurnedAway, tell_alike
from ambassador.ports import EndpointMet
from ambassador.spec import format_address

__all__ = ["Candidate", "Counters", "Evidence"]


@dataclass(slots=True)
class Evidence:
    """What is known of one endpoint of a route."""

    address: Address
    here: bool = True  # it is among the endpoints of the route
    open: int = 0
    failed_at: float | None = None  # the last failure that no success followed
    failing_since: float | None = None
    opened: int = 0
    to_upstream: int = 0  # bytes of sessions that have ended
    to_client: int = 0
    failures: int = 0
    error: str = ""  # the last failure, and when it was (seconds since 1970)
    failed_on: float = 0.0
    turn: int = 0  # sessions that were led to one of its addresses
    at: dict[str, int] = field(default_factory=dict)  # open sessions by address, without zeros
    addresses: Sequence[str] = ()  # its addresses as they were last

    def met(self, to_upstream: int, to_client: int) -> EndpointMet:
        """Return what clients have met; the arguments are the bytes of sessions still open."""
        return EndpointMet(
            self.opened,
            self.to_upstream + to_upstream,
            self.to_client + to_client,
            self.failures,
            self.error,
            self.failed_on,
            self.failing_since is not None,
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """One address a session may connect to. `address` is an IP literal, or a path (port 0). Where
    a name gives an address with a port of its own, `written` is that address as the name has it.
    """

    endpoint: Endpoint
    address: str
    port: int
    evidence: Evidence | None = field(default=None, repr=False, compare=False)
    written: str = field(default="", repr=False, compare=False)
    _text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        inet = format_address(Inet(self.address, self.port)) if self.port else ""
        object.__setattr__(self, "_text", inet or f"unix://{self.address}")

    def __str__(self) -> str:
        return self._text

    @property
    def text(self) -> str:
        """The address as the name has it."""
        return self.written or self.address

    @property
    def place(self) -> tuple[str, int]:
        """The address with the first port of the endpoint (0 for a path)."""
        where = self.endpoint.address
        return at(self.text, where.port if isinstance(where, Inet) else 0)


@dataclass(slots=True)
class Counters:
    """What a route has carried since it was added; bytes as the relay read them."""

    opened: int = 0
    open: int = 0
    refused: int = 0
    to_upstream: int = 0
    to_client: int = 0
    closed: Counter[Reason] = field(default_factory=Counter)
    turned_away: TurnedAway = field(default_factory=TurnedAway)  # counted in `refused`, too
    limits: Limits = field(default_factory=Limits)
    alike: Alike = field(default_factory=Alike)
    queue: LimitQueue = field(init=False)

    def __post_init__(self) -> None:
        self.queue = LimitQueue(self)

    def meet(self, route: Route, host: str) -> None:
        """Note the client of `route` at `host` (empty: of a unix socket), whether it gets a session
        or not.
        """
        if not self.alike.varied and host and self.alike.meet(host):
            tell_alike(route.name, self.alike.words())

    def takes(self, route: Route, host: str, now: float) -> bool:
        """Tell whether the client at `host` gets a session of `route` at once, and count it if not;
        see `judge`.
        """
        return self.judge(route, host, now) is True

    def judge(self, route: Route, host: str, now: float) -> bool | Reason:
        """Tell whether the client at `host` gets a session of `route`, and count it if not; return
        a reason where it has to wait for a place first, in the `queue`. Where the route is limited,
        `limits.left` has to be called at the end of a session.
        """
        reason: Reason | None = None
        # A client of a unix socket has no address, unless a PROXY header names one.
        if route.admitted is not None and host and not admits(route.admitted, host):
            reason = Reason.DENIED
        elif is_limited(route):
            if self.queue.waits_for(Reason.RATE):
                reason = Reason.RATE
            else:
                reason = self.limits.judge(route, host, self.open - len(self.queue), now)
        if reason is None:
            return True
        if self.queue.takes(route, reason):
            return reason
        self.turn_away(route.name, reason, host)
        return False

    def turn_away(self, route: str, reason: Reason, host: str) -> None:
        """Count the client at `host`, which the route of this name refuses for `reason`."""
        self.refused += 1
        if not self.alike.varied:
            self.alike.meet(host)  # without a log line: that about the refusal says the same
        self.turned_away.add(route, reason, host)
