"""One TCP session: an accepted client, a wait for its upstream, then bytes both ways.

What happens when is the table of `core.session`; here are its hands. Bytes do not pass through
the table: each side writes what it receives straight to its peer, and stops reading while the
peer's buffer is above the limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from ambassador.core.session import Action, Event, State, step
from ambassador.model import Endpoint, Inet, Reason
from ambassador.planes.relay.connect import UnreachableError, connect
from ambassador.planes.relay.descriptors import Descriptors
from ambassador.planes.relay.sockets import reset, tune
from ambassador.planes.relay.state import Candidate, RouteState
from ambassador.planes.relay.watch import ResetWatch
from ambassador.ports import Closed, Resolver, SessionRecord, SessionStatus
from ambassador.tasks import spawn

__all__ = ["Session", "Surroundings"]

_REASONS = {
    Event.FAILED: Reason.UNREACHABLE,
    Event.CLIENT_END: Reason.CLIENT,
    Event.UPSTREAM_END: Reason.UPSTREAM,
    Event.CLIENT_RESET: Reason.CLIENT_RESET,
    Event.UPSTREAM_RESET: Reason.UPSTREAM_RESET,
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sessions of a relay share. `buffer`: bytes one direction may hold unsent;
    `ended` is set each time a session has ended, `closed` is told of it.
    """

    resolver: Resolver
    descriptors: Descriptors
    watch: ResetWatch
    buffer: int
    is_own: Callable[[str, int], bool]
    ended: asyncio.Event
    closed: Closed


class _Side(asyncio.Protocol):
    """One of the two connections. It reads from its socket and writes to its peer's."""

    __slots__ = (
        "_attaching", "_doomed", "_early", "_session", "_sock", "closed", "end", "ended",
        "fd", "lost", "peer", "received", "transport",
    )  # fmt: skip

    peer: _Side

    def __init__(self, session: Session, sock: socket.socket, end: Event, lost: Event) -> None:
        self.fd = sock.fileno()
        self.end = end
        self.lost = lost
        self.received = 0
        self.ended = False
        self.closed = False
        self.transport: asyncio.Transport | None = None
        self._session = session
        self._sock = sock
        self._early: list[bytes] = []
        self._attaching = False
        self._doomed = False

    async def attach(self) -> None:
        """Hand the socket to the event loop."""
        self._attaching = True
        await asyncio.get_running_loop().connect_accepted_socket(lambda: self, self._sock)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=self._session.around.buffer)
        if self._doomed:
            self.reset()
            return
        early, self.peer._early = self.peer._early, []
        for data in early:
            self.transport.write(data)
        if self.peer.ended:
            self.write_eof()

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        to = self.peer.transport
        if to is None:  # an upstream that speaks first, before the client is attached
            self._early.append(data)
        elif not to.is_closing():
            to.write(data)

    def eof_received(self) -> bool:
        self.ended = True
        self._session.happened(self.end)
        return True  # the other direction stays open

    def pause_writing(self) -> None:
        reader = self.peer
        if reader.transport and not reader.ended and not reader.transport.is_closing():
            reader.transport.pause_reading()
            self._session.watch(reader)

    def resume_writing(self) -> None:
        reader = self.peer
        if reader.transport and not reader.ended and not reader.transport.is_closing():
            self._session.around.watch.remove(reader.fd)
            reader.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._session.happened(self.lost)

    def write_eof(self) -> None:
        """Pass on the peer's end, after all its bytes."""
        # uvloop raises RuntimeError where asyncio is silent once the transport closes.
        if self.transport is not None and not self.transport.is_closing():
            # asyncio shuts down at once: ENOTCONN when this side is reset, which its own reader
            # tells in a moment. Here it would end the peer, without a reset.
            with contextlib.suppress(OSError):
                self.transport.write_eof()

    def reset(self) -> None:
        """Close now, with a reset; bytes not yet sent are dropped."""
        if self.closed:
            return
        reset(self._sock)
        if self.transport is not None:
            self.transport.abort()
        elif self._attaching:
            self._doomed = True  # the loop owns the socket but has not made the connection yet
        else:
            self.closed = True
            self._sock.close()


class Session:
    """One client of a route, from accept to the close of both sides."""

    __slots__ = (
        "_candidate", "_client", "_connected", "_connecting", "_detail", "_done", "_finished",
        "_reason", "_since", "_started", "_upstream",
        "around", "client_name", "id", "leaving", "port", "state", "status",
    )  # fmt: skip

    def __init__(
        self,
        around: Surroundings,
        state: RouteState,
        client: socket.socket,
        *,
        client_name: str,
        port: int,
        done: Callable[[Session], None],
    ) -> None:
        self.around = around
        self.state = state
        self.client_name = client_name
        self.port = port
        self.id = state.new_id()
        self.status = State.WAITING
        self.leaving = False  # its endpoint has left the route
        self._client = _Side(self, client, Event.CLIENT_END, Event.CLIENT_RESET)
        self._upstream: _Side | None = None
        self._candidate: Candidate | None = None
        self._done = done
        # Not the loop's time: uvloop's counts whole milliseconds.
        self._started = time.monotonic()
        self._since = asyncio.get_running_loop().time()
        self._connected: float | None = None
        self._reason: Reason | None = None
        self._detail = ""
        self._connecting: asyncio.Task[None] | None = None
        self._finished = False

    @property
    def to_upstream(self) -> int:
        """Bytes read from the client."""
        return self._client.received

    @property
    def to_client(self) -> int:
        """Bytes read from the upstream."""
        return self._upstream.received if self._upstream else 0

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint it is connected to, as it was then."""
        return self._candidate.endpoint if self._candidate else None

    @property
    def place(self) -> tuple[str, int] | None:
        """The address of its upstream with the first port of its endpoint (0 for a path); None
        while it has none.
        """
        if self._candidate is None:
            return None
        address = self._candidate.endpoint.address
        return self._candidate.address, address.port if isinstance(address, Inet) else 0

    def start(self) -> None:
        """Look for an upstream and begin to carry."""
        self.around.descriptors.take(2)
        self.state.counters.opened += 1
        self.state.counters.open += 1
        self.around.watch.add(self._client.fd, lambda: self.happened(Event.CLIENT_RESET))
        self._seek()

    def reconnect(self) -> None:
        """Look for an upstream anew, in the time that is left, if none has been found yet."""
        if self._connecting is not None and self.status is State.WAITING:
            self._connecting.cancel()
            self._connecting = None
            self._seek()

    def cut(self, reason: Reason, detail: str = "") -> None:
        """End the session now; both peers see a reset."""
        self._because(reason, detail)
        self.happened(Event.CUT)

    def view(self, now: float) -> SessionStatus:
        """Return what is seen from outside; `now` by the loop's clock."""
        return SessionStatus(
            self.id,
            self.state.route,
            self.client_name,
            self.endpoint,
            str(self._candidate or ""),
            max(now - self._started, 0.0),
            self.to_upstream,
            self.to_client,
            "relay",
            self._word(),
        )

    def _word(self) -> str:
        if self in self.state.gate:
            return "held"
        if self.status is State.WAITING:
            return "waiting"
        return "leaving" if self.leaving else "open"

    def _because(self, reason: Reason, detail: str = "") -> None:
        """Note why the session ends: the first cause counts."""
        if self._reason is None:
            self._reason, self._detail = reason, detail

    def _seek(self) -> None:
        """Look for an upstream, or wait where the route is held."""
        hold = self.state.route.hold
        if hold is None:
            name = f"session {self.state.route.name} {self.client_name}"
            self._connecting = spawn(self._run(), name)
        elif not self.state.gate.enter(self, hold, self._released, self._late):
            self._refuse(Reason.REFUSED, f"{hold.limit} sessions are held already")

    def _released(self) -> None:
        self._since = asyncio.get_running_loop().time()
        self._seek()

    def _late(self) -> None:
        self._refuse(Reason.TIMEOUT, "held for longer than the hold allows")

    def _refuse(self, reason: Reason, detail: str) -> None:
        self._because(reason, detail)
        self.state.counters.refused += 1
        self.happened(Event.FAILED)

    def happened(self, event: Event) -> None:
        """Advance the session by `event` and do what the table says."""
        before = self.status
        self.status, actions = step(before, event)
        if before is not self.status and event in _REASONS:
            self._because(_REASONS[event])
        for action in actions:
            self._perform(action)
        if self.status is State.CLOSED:
            if self._connecting is not None:
                self._connecting.cancel()
                self._connecting = None
            self.state.gate.leave(self)
            self._finish_when_closed()

    async def _run(self) -> None:
        try:
            upstream, self._candidate = await connect(
                self.state,
                self.port,
                self.around.resolver,
                self.around.is_own,
                since=self._since,
            )
        except UnreachableError as error:
            self._connecting = None
            self._refuse(Reason.UNREACHABLE, str(error))
            return
        self._connecting = None  # what follows waits for the loop only
        self._connected = time.monotonic()
        self.around.watch.remove(self._client.fd)
        tune(upstream, self.state.route.keepalive)
        self.state.opened(self._candidate.endpoint)
        self._upstream = _Side(self, upstream, Event.UPSTREAM_END, Event.UPSTREAM_RESET)
        self._client.peer, self._upstream.peer = self._upstream, self._client
        self.happened(Event.CONNECTED)
        await self._upstream.attach()
        if not self._client.closed:
            await self._client.attach()

    def _perform(self, action: Action) -> None:
        client, upstream = self._client, self._upstream
        match action:
            case Action.RESET_CLIENT:
                self.around.watch.remove(client.fd)
                client.reset()
            case Action.RESET_UPSTREAM if upstream:
                self.around.watch.remove(upstream.fd)
                upstream.reset()
            case Action.END_CLIENT if upstream:
                client.write_eof()
                self.watch(upstream)
            case Action.END_UPSTREAM if upstream:
                upstream.write_eof()
                self.watch(client)
            case Action.CLOSE if upstream:
                for side in (client, upstream):
                    self.around.watch.remove(side.fd)
                    if side.transport:
                        side.transport.close()

    def watch(self, side: _Side) -> None:
        """Nothing is read from `side` now: learn of its reset all the same."""
        if self.status is not State.CLOSED:
            self.around.watch.add(side.fd, lambda: self.happened(side.lost))

    def _finish_when_closed(self) -> None:
        if self._finished or not self._client.closed:
            return
        if self._upstream and not self._upstream.closed:
            return
        self._finished = True
        self.around.descriptors.give(2)
        counters = self.state.counters
        counters.open -= 1
        counters.to_upstream += self.to_upstream
        counters.to_client += self.to_client
        if self._candidate:
            self.state.closed(self._candidate.endpoint)
        self._done(self)
        self.around.ended.set()
        reason = self._reason or Reason.CUT
        counters.closed[reason] += 1
        self.around.closed(self._record(reason))

    def _record(self, reason: Reason) -> SessionRecord:
        now = time.monotonic()
        return SessionRecord(
            self.state.route.name,
            self.state.route.proto,
            self.client_name,
            self.endpoint,
            str(self._candidate or ""),
            "relay",
            self.to_upstream,
            self.to_client,
            (self._connected or now) - self._started,
            now - self._started,
            reason,
            self._detail,
        )
