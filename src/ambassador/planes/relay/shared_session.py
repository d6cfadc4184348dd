"""A session that another process has, or will have: the relay keeps what is known of it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ambassador.core.session import Action, Event, State
from ambassador.model import Reason
from ambassador.planes.relay.channel import Attached
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.facts import SessionFacts
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.options import keep_alive
from ambassador.planes.relay.pair import Side
from ambassador.planes.relay.passing import arrive, file_of, pack, take_out
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.planes.relay.worker import Worker
from ambassador.planes.relay.worker_messages import Passed

__all__ = ["SharedSession"]


class SharedSession(SessionFacts):
    """Handed to a worker, or begun by one."""

    __slots__ = ("_cut_asked", "_key", "_worker", "around", "done")

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
        self._key = 0  # what it is called there
        self._cut_asked = False

    def hand(self, worker: Worker) -> None:
        """Have `worker` carry it from now on, if it is connected and that can be done now."""
        packed = pack(self, Event.CUT)
        upstream = self.upstream
        if packed is None or upstream is None:
            return
        if self.candidate is not None and self.candidate.port and not upstream.closed:
            # Keepalives may not have seen to it yet.
            with suppress(OSError):  # it is reset, which an event tells
                keep_alive(upstream.sock, self.live.route.keepalive)
        passed, socks, unsent = packed
        try:
            attached: list[Attached] = [*socks, *([file_of(unsent)] if unsent else [])]
        except OSError:  # no descriptor, no memory: it stays
            return
        key = worker.hand(self, passed, attached)
        if key is not None:
            take_out(self)
            self._worker, self._key = worker, key
            self.happened(Event.HAND)
            self.around.descriptors.give(2)
            for sock in socks:
                self.poller.close_socket(sock)
        for one in attached[len(socks) :]:
            one.close()

    def come_back(
        self, passed: Passed, found: tuple[socket.SocketType, socket.SocketType, bytes] | None
    ) -> None:
        """See worker.Handed."""
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
    def is_handed(self) -> bool:
        """Whether a worker carries it, or did."""
        return self._worker is not None

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

    def begun(self, worker: Worker, key: int) -> None:
        """`worker` has begun it, and calls it `key`."""
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
        """Another goes on in its place, which counts as the same."""
        counters = self.live.counters
        counters.opened -= 1
        counters.open -= 1
        self.state = State.CLOSED
        self.done(self)
        self.part()

    def elsewhere(self, action: Action) -> None:
        """See Pair."""
        if action is Action.CUT_IN_WORKER and self._worker is not None:
            self._cut_asked = True
            self._worker.cut(self._key)
