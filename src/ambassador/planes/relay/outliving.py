"""What the relay tells a worker so that sessions go on should the relay be killed, and how the next
relay continues with that worker.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ambassador.planes.relay.channel import Channel
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.poller import Pausing
from ambassador.planes.relay.worker_messages import Drop, Keep, Message
from ambassador.planes.relay.worker_protocol import noted

if TYPE_CHECKING:
    from ambassador.planes.relay.shared_session import SharedSession

__all__ = ["Outliving"]


class Outliving(Pausing):
    """The part of `Worker` for this; see `orphan` and `reclaim`."""

    _channel: Channel
    _sessions: dict[int, SharedSession]
    _about: dict[int, tuple[int, int, int]]
    _ways: dict[int, Mapping[int, Candidate]]
    _fresh: list[tuple[int, int]]

    def has(self, key: int, session: SharedSession, inodes: tuple[int, int], book: int) -> None:
        """The worker carries `session` for an earlier relay already, with this `key`."""
        self._sessions[key] = session
        self._about[key] = *inodes, book

    def waits_with(self, key: int, ways: Mapping[int, Candidate]) -> None:
        """Its session `key` is still being connected, to one of `ways`."""
        self._ways[key] = ways

    def call(self, key: int, number: int) -> None:
        """Tell the worker soon which number the session `key` has in its route."""
        self._fresh.append((key, number))

    def tell_numbers(self) -> None:
        """Tell the worker which numbers the sessions that it has told of have in their routes."""
        fresh, self._fresh = self._fresh, []
        for message in noted(fresh):
            self._send(message)

    def keep(self, number: int, sock: socket.socket) -> None:
        """Have the worker keep a copy of a listening socket for the next relay."""
        with contextlib.suppress(OSError):  # the process is gone, or no descriptor is free
            self._channel.send(Keep(number), (socket.SocketType(fileno=os.dup(sock.fileno())),))

    def drop(self, number: int) -> None:
        """Have the worker close the listening socket that it keeps as `number`."""
        self._send(Drop(number))

    def _send(self, message: Message) -> None:
        raise NotImplementedError
