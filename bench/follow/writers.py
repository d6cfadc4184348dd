"""Clients that add numbers to a set and know when each was acknowledged, and by whom."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from ambassador.follow.resp import Incomplete, Reply, command, parse

__all__ = ["Connect", "Write", "Writers"]

# Returns a connected socket to what takes writes.
Connect = Callable[[], socket.socket]
_numbers = itertools.count(1)
_WHEN, _WHO = command("TIME"), command("CONFIG", "GET", "port")
_PATIENT, _HASTY = 20.0, 1.0


class Write(NamedTuple):
    """One that was acknowledged: when the client heard of it (time.monotonic), its number, whose
    it is, when the server did it by its own clock (seconds since 1970), and the server's port.
    """

    heard: float
    number: int
    client: int
    done: float
    server: int


class Writers:
    """Three clients: a patient one, one that waits 1 s, one with a connection for each write."""

    def __init__(self, connect: Connect) -> None:
        self.acknowledged: list[Write] = []
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
                # The server does all of it in one go: so it says when it did the first.
                sock.sendall(command("SADD", "written", str(number)) + _WHEN + _WHO)
                added, when, who = _replies(sock)
                if added == 1 and isinstance(when, list) and isinstance(who, list):
                    done = int(str(when[0])) + int(str(when[1])) / 1e6
                    write = Write(time.monotonic(), number, client, done, int(str(who[1])))
                    self.acknowledged.append(write)
                self.readonly += str(added).startswith("READONLY")
                again = each
            except OSError as error:
                self.refused += isinstance(error, ConnectionRefusedError)
                again = True
            if again and sock is not None:
                sock.close()
                sock = None
            time.sleep(0.002)


def _replies(sock: socket.socket) -> list[Reply]:
    """Return the three replies. Raises OSError where the connection ends before."""
    data, found = b"", list[Reply]()
    while len(found) < 3:
        try:
            reply, begin = parse(data)
        except Incomplete:
            piece = sock.recv(4096)
            if not piece:
                raise ConnectionError from None
            data += piece
        else:
            found.append(reply)
            data = data[begin:]
    return found
