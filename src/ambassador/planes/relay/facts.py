"""The facts of one TCP session: its client, its upstream, its times, its bytes, why it ended."""

from __future__ import annotations

import socket
import time

from ambassador.core.departure import Standing
from ambassador.core.session import Event, State, shown
from ambassador.model import Endpoint, Reason
from ambassador.planes.relay.client import client_name
from ambassador.planes.relay.evidence import Candidate, Evidence
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.pair import Pair
from ambassador.planes.relay.poller import Poller
from ambassador.ports import SessionRecord, SessionStatus

__all__ = ["REASONS", "SessionFacts"]

REASONS = {
    Event.FAILED: Reason.UNREACHABLE,
    Event.CLIENT_END: Reason.CLIENT,
    Event.UPSTREAM_END: Reason.UPSTREAM,
    Event.CLIENT_RESET: Reason.CLIENT_RESET,
    Event.UPSTREAM_RESET: Reason.UPSTREAM_RESET,
}


class SessionFacts(Pair):
    """A client of `live`, and its upstream once it has one; `address` as accept(2) tells it."""

    __slots__ = (
        "address", "candidate", "connected", "counted_in", "detail", "live", "number", "reason",
        "standing", "started",
    )  # fmt: skip

    def __init__(
        self, poller: Poller, live: LiveRoute, client: socket.SocketType, address: object
    ) -> None:
        super().__init__(poller, client)
        self.live = live
        self.number = live.new_number()
        self.address = address
        self.started = time.monotonic()
        self.standing = Standing.HERE
        self.candidate: Candidate | None = None
        self.connected: float | None = None
        self.counted_in: Evidence | None = None
        self.reason: Reason | None = None
        self.detail = ""

    @property
    def id(self) -> str:
        """Its id, which no other session of the relay has."""
        return self.live.id_of(self.number)

    @property
    def client_name(self) -> str:
        """How a log names the client."""
        return client_name(self.address)

    @property
    def to_upstream(self) -> int:
        """Bytes read from the client."""
        return self.client.received

    @property
    def to_client(self) -> int:
        """Bytes read from the upstream."""
        return self.upstream.received if self.upstream else 0

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint it is connected to, as it was then."""
        return self.candidate.endpoint if self.candidate else None

    @property
    def place(self) -> tuple[str, int] | None:
        """The address of its upstream with the first port of its endpoint (0 for a path); None
        while it has no upstream.
        """
        return self.candidate.place if self.candidate else None

    @property
    def names(self) -> tuple[str, ...]:
        """The identities of its client; none where it came in clear."""
        sock = self.client.sock
        if type(sock) is socket.SocketType:
            return ()
        found: tuple[str, ...] = sock.names.all  # type: ignore[attr-defined]
        return found

    def view(self, now: float) -> SessionStatus:
        """Return the session as the API shows it; `now` by the monotonic clock."""
        waits = self.state is State.HANDED and self.connected is None
        state = State.DIALLING if waits else self.state
        return SessionStatus(
            self.id,
            self.live.route,
            self.client_name,
            self.endpoint,
            str(self.candidate or ""),
            max(now - self.started, 0.0),
            self.to_upstream,
            self.to_client,
            "relay",
            shown(state, self.standing is Standing.LEAVING),
            self.names,
        )

    def grown_to(self, now: float) -> float:
        """Return the seconds it has been connected; `now` by the monotonic clock."""
        return -1.0 if self.connected is None else now - self.connected

    def noted(self, event: Event) -> None:
        """See Pair."""
        if self.reason is None:
            self.reason = REASONS.get(event)

    def because(self, reason: Reason, detail: str = "") -> None:
        """Note why the session ends: the first cause counts."""
        if self.reason is None:
            self.reason, self.detail = reason, detail

    def record(self, reason: Reason) -> SessionRecord:
        """Return its record for the log, at its end for `reason`."""
        now, live, candidate, upstream = time.monotonic(), self.live, self.candidate, self.upstream
        # At the end of each session: look-ups here are cheaper than the properties used elsewhere.
        route, started = live.route, self.started
        return SessionRecord(
            route.name,
            route.proto,
            client_name(self.address),
            candidate.endpoint if candidate else None,
            str(candidate) if candidate else "",
            "relay",
            self.client.received,
            upstream.received if upstream else 0,
            (self.connected or now) - started,
            now - started,
            reason,
            self.detail,
            0,
            live.id_of(self.number),
        )
