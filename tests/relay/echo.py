"""An endpoint that returns what it is sent, for as many clients as come."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading

__all__ = ["Echo"]


class Echo:
    """Serves on a listening socket in a thread, until it is closed; half-closes when its
    client does.
    """

    def __init__(self, listening: socket.socket) -> None:
        listening.setblocking(False)
        self.accepted = 0
        self.port = 0 if listening.family == socket.AF_UNIX else listening.getsockname()[1]
        self._listening = listening
        self._selector = selectors.DefaultSelector()
        self._wake, waker = socket.socketpair()
        self._waker = waker
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="echo", daemon=True)
        self._thread.start()

    @property
    def open(self) -> int:
        """How many clients are connected."""
        return len(self._selector.get_map()) - 2

    def close(self) -> None:
        self._waker.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                sock = key.fileobj
                if sock is self._wake:
                    self._end()
                    return
                if sock is self._listening:
                    self._accept()
                else:
                    self._answer(sock)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                client, _ = self._listening.accept()
                client.settimeout(10)
                self.accepted += 1
                self._selector.register(client, selectors.EVENT_READ)

    def _answer(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if data := client.recv(262144):
                client.sendall(data)
                return
        self._selector.unregister(client)
        client.close()

    def _end(self) -> None:
        for key in list(self._selector.get_map().values()):
            if key.fileobj is not self._listening:
                key.fileobj.close()
        self._selector.close()
