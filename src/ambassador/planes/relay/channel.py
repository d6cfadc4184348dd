"""One end of the connection between a relay and a worker, for the messages of `worker_protocol`."""

from __future__ import annotations

import contextlib
import errno
import io
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from ambassador.planes.relay.worker_messages import Message
from ambassador.planes.relay.worker_protocol import LARGEST, decode, encode

__all__ = ["Attached", "Channel"]

_DESCRIPTORS = 4  # that a message can have at most


# What goes along with a message: a socket, or an unnamed file.
Attached: TypeAlias = socket.SocketType | io.FileIO


class Channel:
    """One end of the pair of sockets. Messages that cannot be sent now are kept, in order, until
    `flush`. What was attached to a message is closed by `close` once the message is sent.
    """

    def __init__(
        self,
        sock: socket.socket,
        close: Callable[[Any], None] = lambda one: one.close(),
    ) -> None:
        self.sock = sock
        self._close = close
        self._kept: deque[tuple[bytes, Sequence[Attached]]] = deque()
        sock.setblocking(False)

    @property
    def is_full(self) -> bool:
        """Whether messages are kept that could not be sent yet."""
        return bool(self._kept)

    def send(self, message: Message, attached: Sequence[Attached] = ()) -> None:
        """Send `message`, now or later, with what is `attached`, which is closed after that. Raises
        OSError when the other end is gone.
        """
        self._kept.append((encode(message), attached))
        self.flush()

    def attach(self, message: Message, descriptors: Sequence[int]) -> bool:
        """Send `message` with `descriptors` now; return whether this was possible."""
        if self._kept:
            return False
        try:
            socket.send_fds(self.sock, [encode(message)], descriptors)
        except OSError:  # the socket is full, or the other end is gone: `receive` notices that
            return False
        return True

    def flush(self) -> None:
        """Send the messages that are kept, as far as there is room. Raises OSError, as `send`; then
        nothing is kept any longer.
        """
        while self._kept:
            data, attached = self._kept[0]
            try:
                if attached:
                    descriptors = [one.fileno() for one in attached]
                    socket.send_fds(self.sock, [data], descriptors)
                else:
                    self.sock.send(data)
            except BlockingIOError:
                return
            except OSError as error:
                # Too many descriptors are on their way (unix(7)): try again later.
                if error.errno != errno.ETOOMANYREFS:
                    self.forget()
                    raise
                return
            for one in attached:
                self._close(one)
            self._kept.popleft()

    def forget(self) -> None:
        """Drop the messages that are kept, and close what is attached: the other end is gone."""
        while self._kept:
            _, attached = self._kept.popleft()
            for one in attached:
                self._close(one)

    def receive(self) -> Iterator[tuple[Message, list[int]]]:
        """Yield each message that has arrived, with its descriptors. Raises EOFError when the other
        end is gone.
        """
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(self.sock, LARGEST, _DESCRIPTORS)
            except BlockingIOError:
                return
            except OSError as error:
                raise EOFError from error
            if not data:
                raise EOFError
            yield decode(data), list(descriptors)

    def hear(self, then: Callable[[Message, list[int]], None]) -> bool:
        """Send the messages that are kept, and call `then` with each message that has arrived and
        its descriptors; return whether the other end is still there.
        """
        try:
            with contextlib.suppress(OSError):  # the other end is gone: `receive` notices that
                self.flush()
            for message, descriptors in self.receive():
                then(message, descriptors)
        except EOFError:
            return False
        return True
