"""Clients that add numbers to a set and know when each was acknowledged."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable

from ambassador.follow.resp import command

__all__ = ["Connect", "Writers"]

# Returns a connected socket to what takes writes.
Connect = Callable[[], socket.socket]
_numbers = itertools.count(1)
_PATIENT, _HASTY = 20.0, 1.0


class Writers:
    """Three clients: a patient one, one that waits 1 s, one with a connection for each write."""

    def __init__(self, connect: Connect) -> None:
        self.acknowledged: list[tuple[float, int, int]] = []  # when, the number, the client
        self.readonly = 0
        self.refused = 0
        self._connect = connect
        self._on = True
        kinds = ((_PATIENT, False), (_HASTY, False), (_PATIENT, True))
        self.clients = range(len(kinds))
        self._threads = [
            threading.Thread(target=self._write, args=(place, *kind), daemon=True)
            for place, kind in enumerate(kinds)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Write no longer."""
        self._on = False
        for thread in self._threads:
            thread.join(2)

    def _write(self, client: int, limit: float, each: bool) -> None:
        sock: socket.socket | None = None
        while self._on:
            number = next(_numbers)
            try:
                sock = sock or self._connect()
                sock.settimeout(limit)
                sock.sendall(command("SADD", "written", str(number)))
                answer = sock.recv(200)
                if answer == b":1\r\n":
                    self.acknowledged.append((time.monotonic(), number, client))
                self.readonly += answer.startswith(b"-READONLY")
                again = each or not answer
            except OSError as error:
                self.refused += isinstance(error, ConnectionRefusedError)
                again = True
            if again and sock is not None:
                sock.close()
                sock = None
            time.sleep(0.002)
