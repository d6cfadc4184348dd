"""One TCP session: an accepted client, a wait for its upstream, then bytes both ways.

Where nothing is in doubt (an address is known and answered last time), the upstream is connected to
at once, without a task; else, and when that fails, `connect` searches.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

from ambassador.core.session import Event, State
from ambassador.model import Endpoint, Reason
from ambassador.planes.relay.client import client_name
from ambassador.planes.relay.dial import Dial
from ambassador.planes.relay.live import Candidate, Evidence, LiveRoute
from ambassador.planes.relay.options import keep_alive, no_delay
from ambassador.planes.relay.pair import Pair, Side
from ambassador.planes.relay.search import UnreachableError, connect, doubt
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.planes.relay.worker import Worker
from ambassador.ports import SessionRecord, SessionStatus
from ambassador.tasks import spawn

__all__ = ["Session"]

_REASONS = {
    Event.FAILED: Reason.UNREACHABLE,
    Event.CLIENT_END: Reason.CLIENT,
    Event.UPSTREAM_END: Reason.UPSTREAM,
    Event.CLIENT_RESET: Reason.CLIENT_RESET,
    Event.UPSTREAM_RESET: Reason.UPSTREAM_RESET,
}


class Session(Pair):
    """One client of a route, from accept to the close of both sides."""

    __slots__ = (
        "_address", "_candidate", "_connected", "_counted", "_detail", "_dial", "_finished", "_key",
        "_reason", "_search", "_since", "_started", "_worker", "around", "done", "leaving", "live",
        "number", "port",
    )  # fmt: skip

    def __init__(
        self,
        around: Surroundings,
        live: LiveRoute,
        client: socket.SocketType,
        address: object,
        *,
        port: int,
        done: Callable[[Session], None],
    ) -> None:
        super().__init__(around.poller, client)
        self.around = around
        self.live = live
        self.port = port
        self.number = live.new_number()
        self.leaving = False  # its endpoint has left the route
        self.done = done
        self._address = address  # of the client, as accept(2) tells it
        self._candidate: Candidate | None = None
        self._started = self._since = time.monotonic()
        self._connected: float | None = None
        self._counted: Evidence | None = None
        self._reason: Reason | None = None
        self._detail = ""
        self._dial: Dial | None = None
        self._search: asyncio.Task[None] | None = None
        self._finished = False
        self._worker: Worker | None = None  # which carries it
        self._key: int | None = None  # what it is called there

    @property
    def id(self) -> str:
        """What no other session of the relay is called."""
        return self.live.id_of(self.number)

    @property
    def client_name(self) -> str:
        """How a log names the client."""
        return client_name(self._address)

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
        return self._candidate.endpoint if self._candidate else None

    @property
    def place(self) -> tuple[str, int] | None:
        """The address of its upstream with the first port of its endpoint (0 for a path); None
        while it has none.
        """
        return self._candidate.place if self._candidate else None

    @property
    def aim(self) -> tuple[str, int] | None:
        """The place it is being connected to; None where there is none, or while it searches."""
        return self._dial.candidate.place if self._dial else None

    def start(self) -> None:
        """Look for an upstream and begin to carry."""
        self.around.descriptors.take(2)
        counters = self.live.counters
        counters.opened += 1
        counters.open += 1
        self.poller.add(self.client.sock.fileno(), self.client)
        self._seek()

    def reconnect(self) -> None:
        """Look for an upstream anew, in the time that is left, if none has been found yet."""
        if self.state is State.WAITING and self not in self.live.hold_queue:
            self._give_up()
            self._seek()

    def cut(self, reason: Reason, detail: str = "") -> None:
        """End the session now; both peers see a reset."""
        self._because(reason, detail)
        if self._worker is None or self._key is None:
            self.happened(Event.CUT)
        else:
            self._worker.cut(self._key)

    def view(self, now: float) -> SessionStatus:
        """Return what is seen from outside; `now` by the monotonic clock."""
        return SessionStatus(
            self.id,
            self.live.route,
            self.client_name,
            self.endpoint,
            str(self._candidate or ""),
            max(now - self._started, 0.0),
            self.to_upstream,
            self.to_client,
            "relay",
            self._word(),
        )

    def grown_to(self, now: float) -> float:
        """Return the seconds it has been connected; `now` by the monotonic clock."""
        return -1.0 if self._connected is None else now - self._connected

    def hand(self, worker: Worker) -> None:
        """Have `worker` carry it from now on, if it is in a state that can be handed over."""
        client, upstream = self.client, self.upstream
        if upstream is None or self.state is not State.OPEN:
            return
        if client.unsent is not None or upstream.unsent is not None:
            return  # what is unsent is here; another time
        if self._candidate is not None and self._candidate.port:
            # Keepalives may not have seen to it yet.
            keep_alive(upstream.sock, self.live.route.keepalive)
        descriptors = client.sock.fileno(), upstream.sock.fileno()
        self._key = worker.hand(self, descriptors, client.received, upstream.received)
        if self._key is None:
            return
        self._worker = worker
        for side in (client, upstream):
            side.peer = side.to = None
            self.poller.remove(side.sock.fileno())
            self.poller.close_socket(side.sock)
        self.around.descriptors.give(2)

    def counted(self, to_upstream: int, to_client: int) -> None:
        """See worker.Handed."""
        assert self.upstream is not None
        self.client.received, self.upstream.received = to_upstream, to_client

    def ended(self, event: Event | None, to_upstream: int, to_client: int) -> None:
        """See worker.Handed."""
        assert self.upstream is not None
        self.around.descriptors.take(2)  # that finish gives
        if event is None:
            self._because(Reason.CUT, "the process that carried it has ended")
        else:
            self.counted(to_upstream, to_client)
        self.state = State.CLOSED
        self.noted(event or Event.CUT)
        self.client.closed = self.upstream.closed = True
        self.finish()

    def noted(self, event: Event) -> None:
        """See Pair."""
        if self._reason is None:
            self._reason = _REASONS.get(event)
        if self.state is State.CLOSED and self._candidate is None:
            self._give_up()
            self.live.hold_queue.leave(self)

    def broke(self) -> None:
        """See Pair."""
        self.cut(Reason.CUT, "an error of the relay, which is in its log")

    def ended_early(self) -> None:
        """See Pair. Who is held and has asked for nothing leaves its place to others; behind a
        question an end is a half-close, and the question counts.
        """
        if self not in self.live.hold_queue:
            return
        try:
            asked = self.client.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            self.client.lose()
            return
        if not asked:
            self.happened(Event.CLIENT_END)

    def finish(self) -> None:
        """See Pair."""
        if self._finished or not self.finished:
            return
        self._finished = True
        self.around.descriptors.give(2)
        counters = self.live.counters
        counters.open -= 1
        counters.to_upstream += self.to_upstream
        counters.to_client += self.to_client
        if self._counted is not None:
            self.live.closed(self._counted)
        self.done(self)
        self.around.ended.set()
        reason = self._reason or Reason.CUT
        counters.closed[reason] += 1
        self.around.closed(self._record(reason))
        self.part()

    def _word(self) -> str:
        if self in self.live.hold_queue:
            return "held"
        if self.state is State.WAITING:
            return "waiting"
        return "leaving" if self.leaving else "open"

    def _because(self, reason: Reason, detail: str = "") -> None:
        """Note why the session ends: the first cause counts."""
        if self._reason is None:
            self._reason, self._detail = reason, detail

    def _seek(self) -> None:
        """Look for an upstream, or wait where the route is held."""
        hold = self.live.route.hold
        if hold is None:
            around = self.around
            sure = self.live.sure(self.port, around.resolver)
            if sure is None or around.is_own(sure.address, sure.port) or not self._try(sure):
                self._begin_search()
        elif not self.live.hold_queue.enter(self, hold, self._released, self._late):
            self._refuse(Reason.REFUSED, f"{hold.limit} sessions are held already")
        elif self.client.ending:  # which was told while it looked for its upstream
            self.ended_early()

    def _released(self) -> None:
        self._since = time.monotonic()
        self._seek()

    def _late(self) -> None:
        self._refuse(Reason.TIMEOUT, "held for longer than the hold allows")

    def _refuse(self, reason: Reason, detail: str) -> None:
        self._because(reason, detail)
        self.live.counters.refused += 1
        self.happened(Event.FAILED)

    def _give_up(self) -> None:
        """Look no further for an upstream."""
        if self._search is not None:
            self._search.cancel()
            self._search = None
        if self._dial is not None:
            self._dial.drop()
            self._dial = None

    def _try(self, candidate: Candidate) -> bool:
        """Begin to connect to `candidate`; tell whether that may still succeed."""
        deadline = self._since + self.live.route.connect
        self._dial = Dial.begin(candidate, deadline, self, self.around.patience)
        return self._dial is not None

    def answered(self, dial: Dial, sock: socket.SocketType, events: int) -> None:
        """`dial` has succeeded; see dial.Dialler."""
        self._dial = None
        upstream = Side(self, sock)
        self.poller.give(sock.fileno(), upstream)
        self._join(dial.candidate, upstream, events)

    def failed(self, dial: Dial, reason: str) -> None:
        """`dial` has failed: search; see dial.Dialler."""
        self._dial = None
        self.live.address_failed(dial.candidate, time.monotonic())
        doubt(dial.candidate.endpoint, self.around.resolver)
        self._begin_search()

    def _begin_search(self) -> None:
        name = f"session {self.live.route.name} {self.client_name}"
        self._search = spawn(self._run(), name)

    async def _run(self) -> None:
        try:
            sock, candidate = await connect(
                self.live,
                self.port,
                self.around.resolver,
                self.around.is_own,
                since=self._since,
            )
        except UnreachableError as error:
            self._search = None
            self._refuse(Reason.UNREACHABLE, str(error))
            return
        self._search = None  # what follows cannot be taken back
        upstream = Side(self, sock)
        try:
            self.poller.add(sock.fileno(), upstream)
            self._join(candidate, upstream)
        except Exception:
            self.broke()
            self.poller.close_socket(sock)
            raise

    def _join(self, candidate: Candidate, upstream: Side, events: int = 0) -> None:
        self._candidate = candidate
        self._connected = time.monotonic()
        if candidate.port:
            no_delay(upstream.sock)
            self.around.keepalives.add(upstream, self.live.route.keepalive)
        self._counted = self.live.opened(candidate)
        self.join(upstream, events)

    def _record(self, reason: Reason) -> SessionRecord:
        now = time.monotonic()
        return SessionRecord(
            self.live.route.name,
            self.live.route.proto,
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
