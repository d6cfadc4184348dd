"""A session that waits before it looks for an upstream: until its held route is released, or until
a limit has a place for it.
"""

from __future__ import annotations

import time

from ambassador.core.session import Event
from ambassador.model import Reason
from ambassador.planes.relay.client import host_of
from ambassador.planes.relay.shared_session import SharedSession

__all__ = ["WaitingSession"]


class WaitingSession(SharedSession):
    """The part of a Session that waits; see planes.relay.session.Session."""

    __slots__ = ("since", "waits")

    since: float  # when it began to look for its upstream
    waits: Reason | None  # the limit that has no place for it, if it waits for one

    @property
    def host(self) -> str:
        """The address of its client, as limits know it."""
        return host_of(self.address)

    def _seek(self, held: float | None = None) -> None:
        """Look for an upstream, or wait where the route is held; a subclass does."""
        raise NotImplementedError

    def _stop_waiting(self) -> None:
        self.live.hold_queue.leave(self)
        self.live.counters.queue.leave(self)

    def _wait(self, reason: Reason, since: float | None = None) -> None:
        """Wait for a place, which the limit of `reason` does not have."""
        self.live.counters.queue.enter(self, reason, lambda: self.live.route, since)
        self._hold()

    def _hold(self) -> None:
        self.happened(Event.HOLD)
        if self.client.ending:  # reported while the session looked for its upstream
            self.ended_early()

    def placed(self) -> None:
        """There is a place for it; see LimitQueue."""
        self.waits = None
        self._released()

    def too_late(self) -> None:
        """No place came in time; see LimitQueue."""
        counters, route, reason = self.live.counters, self.live.route, self.waits or Reason.LIMIT
        counters.limits.refused(route, self.host, time.monotonic())
        counters.turn_away(route.name, reason, self.host)
        self.because(reason, "waited for a place for longer than the limit allows")
        self.happened(Event.FAILED)

    def _released(self) -> None:
        self.happened(Event.RELEASED)
        self.since = time.monotonic()
        self._seek()

    def _late(self) -> None:
        self._refuse(Reason.TIMEOUT, "held for longer than the hold allows")

    def _refuse(self, reason: Reason, detail: str) -> None:
        self.because(reason, detail)
        self.live.counters.refused += 1
        self.happened(Event.FAILED)
