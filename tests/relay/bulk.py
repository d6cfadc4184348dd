"""Many megabytes that are cheap to make and whose every byte is checked."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
from collections.abc import Callable, Iterator

__all__ = ["MIB", "Transfer", "checksum", "pieces", "receive", "send"]

MIB = 1 << 20
_BLOCK = random.Random(1853).randbytes(MIB)


def pieces(count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield `count` blocks of 1 MiB, no two alike."""
    for number in range(count):
        yield (seed + number).to_bytes(8, "big") + _BLOCK[8:]


def checksum(count: int, seed: int = 0) -> str:
    digest = hashlib.sha256()
    for piece in pieces(count, seed):
        digest.update(piece)
    return digest.hexdigest()


class Transfer(threading.Thread):
    """Runs `work` in a thread; `result` waits for it and returns or raises what it did."""

    def __init__(self, work: Callable[[], str | None]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._result: str | None = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error

    def result(self, within: float = 50.0) -> str | None:
        self.join(within)
        assert not self.is_alive(), f"not within {within} s"
        if self._error:
            raise self._error
        return self._result


def send(sock: socket.socket, count: int, seed: int = 0) -> None:
    """Send `count` MiB and end."""
    for piece in pieces(count, seed):
        sock.sendall(piece)
    sock.shutdown(socket.SHUT_WR)


def receive(sock: socket.socket) -> str:
    """Read to the end; return the checksum."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(MIB))
    while size := sock.recv_into(buffer):
        digest.update(buffer[:size])
    return digest.hexdigest()
