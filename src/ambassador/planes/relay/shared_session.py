"""A session that another process has, or will have: the relay keeps what is known of it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from ambassador.core.session import Action, Event, State
from ambassador.model import Reason
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.facts import SessionFacts
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.options import keep_alive
from ambassador.planes.relay.pair import Side
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.planes.relay.worker import Worker

__all__ = ["SharedSession"]


class SharedSession(SessionFacts):
    """Handed to a worker, or begun by one."""

    __slots__ = ("_key", "_worker", "around", "done")

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
            self._worker.cut(self._key)
