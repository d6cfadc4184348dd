"""One TCP session: an accepted client, a wait for its upstream, then bytes both ways.

Where nothing is in doubt (an address is known and answered last time), the upstream is connected to
at once, without a task; else, and when that fails, `connect` searches.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

from ambassador.core.session import Action, Event, State
from ambassador.model import Reason
from ambassador.planes.relay.dial import Dial
from ambassador.planes.relay.facts import SessionFacts
from ambassador.planes.relay.live import Candidate, LiveRoute
from ambassador.planes.relay.options import keep_alive, no_delay
from ambassador.planes.relay.pair import Side
from ambassador.planes.relay.search import UnreachableError, connect, doubt
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.planes.relay.worker import Worker
from ambassador.tasks import spawn

__all__ = ["Session"]


class Session(SessionFacts):
    """One client of a route, from accept to the close of both sides."""

    __slots__ = ("_dial", "_key", "_search", "_since", "_worker", "around", "done", "port")

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
        super().__init__(around.poller, live, client, address)
        self.around = around
        self.port = port
        self.done = done
        self._since = self.started
        # What the states DIALLING, SEARCHING and HANDED have in hand.
        self._dial: Dial | None = None
        self._search: asyncio.Task[None] | None = None
        self._worker: Worker | None = None
        self._key = 0  # what it is called there

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
        self.happened(Event.ANEW)
        if self.state is State.ACCEPTED:
            self._seek()

    def cut(self, reason: Reason, detail: str = "") -> None:
        """End the session now; both peers see a reset."""
        self.because(reason, detail)
        self.happened(Event.CUT)

    def hand(self, worker: Worker) -> None:
        """Have `worker` carry it from now on, if it is in a state that can be handed over."""
        client, upstream = self.client, self.upstream
        if upstream is None or self.state is not State.OPEN:
            return
        if client.unsent is not None or upstream.unsent is not None:
            return  # what is unsent is here; another time
        if self.candidate is not None and self.candidate.port:
            # Keepalives may not have seen to it yet.
            keep_alive(upstream.sock, self.live.route.keepalive)
        descriptors = client.sock.fileno(), upstream.sock.fileno()
        key = worker.hand(self, descriptors, client.received, upstream.received)
        if key is None:
            return
        self._worker, self._key = worker, key
        self.happened(Event.HAND)
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
            self.because(Reason.CUT, "the process that carried it has ended")
        else:
            self.counted(to_upstream, to_client)
            self.noted(event)
        self.happened(Event.RETURNED)
        self.client.closed = self.upstream.closed = True
        self.finish()

    def give_up(self, action: Action) -> None:
        """See Pair."""
        if action is Action.DROP_DIAL and self._dial is not None:
            self._dial.drop()
            self._dial = None
        elif action is Action.STOP_SEARCH and self._search is not None:
            self._search.cancel()
            self._search = None
        elif action is Action.LEAVE_HOLD:
            self.live.hold_queue.leave(self)

    def elsewhere(self, action: Action) -> None:
        """See Pair."""
        if action is Action.CUT_IN_WORKER and self._worker is not None:
            self._worker.cut(self._key)

    def broke(self) -> None:
        """See Pair."""
        self.cut(Reason.CUT, "an error of the relay, which is in its log")

    def ended_early(self) -> None:
        """See Pair. Who is held and has asked for nothing leaves its place to others; behind a
        question an end is a half-close, and the question counts.
        """
        if self.state is not State.HELD:
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
        self.around.descriptors.give(2)
        counters = self.live.counters
        counters.open -= 1
        counters.to_upstream += self.to_upstream
        counters.to_client += self.to_client
        if self.counted_in is not None:
            self.live.closed(self.counted_in, self.to_upstream, self.to_client)
        self.done(self)
        self.around.ended.set()
        reason = self.reason or Reason.CUT
        counters.closed[reason] += 1
        self.around.closed(self.record(reason))
        self.part()

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
        else:
            self.happened(Event.HOLD)
            if self.client.ending:  # which was told while it looked for its upstream
                self.ended_early()

    def _released(self) -> None:
        self.happened(Event.RELEASED)
        self._since = time.monotonic()
        self._seek()

    def _late(self) -> None:
        self._refuse(Reason.TIMEOUT, "held for longer than the hold allows")

    def _refuse(self, reason: Reason, detail: str) -> None:
        self.because(reason, detail)
        self.live.counters.refused += 1
        self.happened(Event.FAILED)

    def _try(self, candidate: Candidate) -> bool:
        """Begin to connect to `candidate`; tell whether that may still succeed."""
        deadline = self._since + self.live.route.connect
        self._dial = Dial.begin(candidate, deadline, self, self.around.patience)
        if self._dial is None:
            return False
        self.happened(Event.DIAL)
        return True

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
        self.happened(Event.SEARCH)
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
        self.candidate = candidate
        self.connected = time.monotonic()
        if candidate.port:
            no_delay(upstream.sock)
            self.around.keepalives.add(upstream, self.live.route.keepalive)
        self.counted_in = self.live.opened(candidate)
        self.join(upstream, events)
