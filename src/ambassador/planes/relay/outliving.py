"""What a worker is told, and what is known of it, so that all goes on where the relay is killed."""

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
    """The part of a Worker that does it."""

    _channel: Channel
    _sessions: dict[int, SharedSession]
    _about: dict[int, tuple[int, int, int]]
    _ways: dict[int, Mapping[int, Candidate]]
    _fresh: list[tuple[int, int]]

    def has(self, key: int, session: SharedSession, inodes: tuple[int, int], book: int) -> None:
        """It carries `session`, and calls it `key`, as another relay knew it."""
        self._sessions[key] = session
        self._about[key] = *inodes, book

    def waits_with(self, key: int, ways: Mapping[int, Candidate]) -> None:
        """Its session `key` is being connected, by one of `ways`."""
        self._ways[key] = ways

    def call(self, key: int, number: int) -> None:
        """Let it know what a session is called, soon."""
        self._fresh.append((key, number))

    def tell_numbers(self) -> None:
        """Let it know what sessions are called that it has told of."""
        fresh, self._fresh = self._fresh, []
        for message in noted(fresh):
            self._send(message)

    def keep(self, number: int, sock: socket.socket) -> None:
        """Have it keep a copy of a listening socket."""
        with contextlib.suppress(OSError):  # it is gone, or no descriptor is free
            self._channel.send(Keep(number), (socket.SocketType(fileno=os.dup(sock.fileno())),))

    def drop(self, number: int) -> None:
        """Have it close what it keeps."""
        self._send(Drop(number))

    def _send(self, message: Message) -> None:
        raise NotImplementedError
