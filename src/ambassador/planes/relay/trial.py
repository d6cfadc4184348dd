"""A dial that its client no longer needs goes on, to show whether the address answers."""

from __future__ import annotations

import socket
import time

from ambassador.planes.relay.dial import Dial, Dialler
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.options import reset
from ambassador.planes.relay.refusal import doubt
from ambassador.planes.relay.surroundings import Surroundings

__all__ = ["Trial"]


class Trial(Dialler):
    """Notes how a dial ends, and then gives back the descriptor that was counted for it."""

    def __init__(self, live: LiveRoute, around: Surroundings) -> None:
        self.poller = around.poller
        self._live = live
        self._around = around

    def answered(self, dial: Dial, sock: socket.SocketType, events: int) -> None:
        """See dial.Dialler."""
        self._live.answered(dial.candidate, time.monotonic())
        if version := dial.candidate.endpoint.proxy:
            from ambassador.planes.relay.introduction import send_local  # noqa: PLC0415

            send_local(sock, version)
        reset(sock)
        self.poller.close_socket(sock)
        self._around.descriptors.give(1)

    def failed(self, dial: Dial, reason: str) -> None:
        """See dial.Dialler."""
        self._live.missed(dial.candidate, reason, time.monotonic())
        doubt(dial.candidate.endpoint, self._around.resolver)
        self._around.descriptors.give(1)

    def overdue(self, dial: Dial) -> None:
        """See dial.Dialler."""

    def broke(self) -> None:
        """See poller.Ready."""
        self._around.descriptors.give(1)
