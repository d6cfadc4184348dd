"""A session that a worker or a successor carries, or may carry: the relay keeps its facts."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ambassador.core.ejection import EARLY
from ambassador.core.session import Action, Event, State
from ambassador.model import Reason
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.facts import SessionFacts
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.options import keep_alive
from ambassador.planes.relay.passing import arrive, file_of, pack, take_out
from ambassador.planes.relay.resets import lasted, was_reset
from ambassador.planes.relay.side import Side
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.planes.relay.tally import ended_here
from ambassador.spec import format_endpoint

if TYPE_CHECKING:  # only where workers are there
    from ambassador.planes.relay.channel import Attached
    from ambassador.planes.relay.notes import SessionNote
    from ambassador.planes.relay.worker import Worker
    from ambassador.planes.relay.worker_messages import Carries, Passed

__all__ = ["SharedSession"]


class SharedSession(SessionFacts):
    """A session that may be handed to a worker, or that a worker has begun."""

    __slots__ = ("_cut_asked", "_in_their_book", "_key", "_worker", "around", "done")

    def __init__(
        self,
        around: Surroundings,
        live: LiveRoute,
        client: socket.SocketType,
        address: object,
        done: Callable[[Any], None],
    ) -> None:
        super().__init__(around.poller, live, client, address)
        self.around = around
        self.done = done
        self._worker: Worker | None = None
        self._key = 0  # of the session, in messages to that worker
        self._cut_asked = False
        self._in_their_book = False  # a worker has counted its end

    def hand(self, worker: Worker) -> None:
        """Have `worker` carry it from now on, if it is connected and that can be done now."""
        packed = pack(self, Event.CUT)
        upstream = self.upstream
        if packed is None or upstream is None:
            return
        if self.candidate is not None and self.candidate.port and not upstream.closed:
            # Keepalives may not have set it yet.
            with suppress(OSError):  # it is reset: the poller reports it
                keep_alive(upstream.sock, self.live.route.keepalive)
        passed, socks, unsent = packed
        try:
            attached: list[Attached] = [*socks, *([file_of(unsent)] if unsent else [])]
        except OSError:  # no descriptor, no memory: it stays
            return
        key = worker.hand(self, passed, attached, *self._told_to_worker())
        if key is not None:
            take_out(self)
            self._worker, self._key = worker, key
            self.happened(Event.HAND)
            self.around.descriptors.give(2)
            for sock in socks:
                self.poller.close_socket(sock)
        for one in attached[len(socks) :]:
            one.close()

    def _told_to_worker(self) -> tuple[int, str]:
        """Return the book in which the worker counts its end, and its note for the next relay."""
        from ambassador.planes.relay.notes import (  # noqa: PLC0415 (workers are there)
            SessionNote,
            session_note,
        )

        candidate, connected = self.candidate, self.connected
        where = None
        if candidate is not None:
            written = format_endpoint(candidate.endpoint)
            where = written, candidate.address, candidate.port, candidate.written
        client: Any = self.address
        name = (client[0], client[1]) if isinstance(client, tuple) else None
        port, book = self.entrance
        facts = self.live.serial, port, self.number, name, self.started, connected, where
        return book, session_note(SessionNote(*facts, self.live.route.led))

    @property
    def entrance(self) -> tuple[int, int]:
        """The port of its listener, and the book in which workers count sessions of that."""
        raise NotImplementedError

    def claimed(
        self, worker: Worker, item: Carries, note: SessionNote, candidate: Candidate | None
    ) -> None:
        """Take it over from a relay that was killed: `worker` carries it still."""
        self._worker, self._key = worker, item.key
        self.state = State.HANDED
        self.started = note.started
        upstream = self.upstream = Side(self, self.client.sock)
        self.client.received, upstream.received = item.to_upstream, item.to_client
        self.live.counters.open += 1
        if candidate is not None and note.connected is not None:
            self.candidate, self.connected = candidate, note.connected
            self.counted_in = self.live.opened(candidate, elsewhere=True)

    def come_back(
        self, passed: Passed, found: tuple[socket.SocketType, socket.SocketType, bytes] | None
    ) -> None:
        """See worker.Worker."""
        if found is None:
            self.ended(None, 0, 0)
            return
        client, sock, unsent = found
        self.around.descriptors.take(2)
        self._worker = None
        self.client, upstream = Side(self, client), Side(self, sock)
        if passed.event is not Event.CUT:
            self.noted(passed.event)
        try:
            arrive(self, passed, upstream, unsent)
        except Exception:
            self.broke()
            raise
        if self._cut_asked:  # while it was on its way
            self.happened(Event.CUT)

    @property
    def is_passable(self) -> bool:
        """Whether another process could carry it. A session that speaks TLS could not: what OpenSSL
        knows of a connection cannot be passed. It stays in its process until it ends.
        """
        if self._worker is not None or self.state is State.CLOSED or not self.client.passable:
            return False
        return self.upstream is None or self.upstream.passable

    def taken(self) -> None:
        """Let go of it, as another process carries it: no end is counted, its peers see none."""
        self.live.counters.open -= 1
        if self.counted_in is not None and self.candidate is not None:
            self.live.closed(self.counted_in, self.candidate)
        self.let_go()
        take_out(self)
        self.state = State.CLOSED
        for side in (self.client, self.upstream):
            if side is not None and not side.closed:
                side.closed = True
                side.sock.close()
        self.around.descriptors.give(2)
        self.done(self)
        self.around.ended.set()
        self.part()

    def let_go(self) -> None:
        """Look for no upstream any longer; for a subclass that does."""

    def adopt(self) -> None:
        """Count it as open: another process has begun it, and has counted it as opened."""
        self.around.descriptors.take(2)
        self.live.counters.open += 1
        if self.candidate is not None:
            self.counted_in = self.live.opened(self.candidate, elsewhere=True)

    @property
    def is_handed(self) -> bool:
        """Whether a worker carries it, or did."""
        return self._worker is not None

    def counted(self, to_upstream: int, to_client: int) -> None:
        """See worker.Worker."""
        assert self.upstream is not None
        self.client.received, self.upstream.received = to_upstream, to_client

    def ended(self, event: Event | None, to_upstream: int, to_client: int) -> None:
        """See worker.Worker."""
        assert self.upstream is not None
        self.around.descriptors.take(2)  # `finish` gives them back
        if event is None:
            self.because(Reason.CUT, "the process that carried it has ended")
        else:
            self._in_their_book = True
            self.counted(to_upstream, to_client)
            self.noted(event)
        self.happened(Event.RETURNED)
        self.client.closed = self.upstream.closed = True
        self.finish()

    def begun(self, worker: Worker, key: int) -> None:
        """`worker` has begun it, with this `key`."""
        counters = self.live.counters
        counters.opened += 1
        counters.open += 1
        self._worker, self._key = worker, key
        self.state = State.HANDED
        self.upstream = Side(self, self.client.sock)

    def joined(self, candidate: Candidate, connected: float) -> None:
        """The worker has connected it."""
        self.candidate, self.connected = candidate, connected
        self.counted_in = self.live.opened(candidate)

    def forget(self) -> None:
        """Drop it uncounted: another session object counts as the same session."""
        counters = self.live.counters
        counters.opened -= 1
        counters.open -= 1
        self.state = State.CLOSED
        self.done(self)
        self.part()

    def cut(self, reason: Reason, detail: str = "") -> None:
        """End the session now; both peers see a reset."""
        self.because(reason, detail)
        self.happened(Event.CUT)

    def broke(self) -> None:
        """See Pair."""
        self.cut(Reason.CUT, "an error of the relay, which is in its log")

    def ended_early(self) -> None:
        """See Pair. A client that is held and has sent nothing ends here, to make room for others.
        After some bytes its end is a half-close, and it waits for an answer.
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
        counters, upstream = self.live.counters, self.upstream
        to_upstream, to_client = self.client.received, upstream.received if upstream else 0
        counters.open -= 1
        counters.to_upstream += to_upstream
        counters.to_client += to_client
        if self.counted_in is not None and self.candidate is not None:
            self.live.closed(self.counted_in, self.candidate, to_upstream, to_client)
            if to_client:
                if self.live.resets.counts:
                    lasted(self.live, self.candidate)
            elif self.reason is Reason.UPSTREAM_RESET:
                now = time.monotonic()
                if self.connected is not None and now - self.connected < EARLY:
                    was_reset(self.live, self.candidate, now)
        self.done(self)
        self.around.ended.set()
        self.around.doors.touched(self.live)
        reason = self.reason or Reason.CUT
        counters.closed[reason] += 1
        if not self._in_their_book:
            carried = to_upstream, to_client
            ended_here(self.around.doors.shared, self.entrance[1], reason, carried)
        self.around.closed(self.record(reason))
        self.part()

    def elsewhere(self, action: Action) -> None:
        """See Pair."""
        if action is Action.CUT_IN_WORKER and self._worker is not None:
            self._cut_asked = True
            self._worker.cut(self._key)
