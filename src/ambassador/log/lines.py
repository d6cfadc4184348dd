"""Lines written to a descriptor by a thread: a reader who stands still keeps nobody waiting.

A write to a pipe that is full blocks until somebody reads (pipe(7)); O_NONBLOCK would be set for
every process that shares it (fcntl(2)). So lines wait in a queue of bounded size; what finds no
room is dropped, counted, and told of in the place where it would have stood.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

__all__ = ["ROOM", "LineWriter"]

ROOM = 4 << 20  # bytes that may wait: some 30,000 lines, or the log of a bad minute
_PIECE = 64 << 10  # bytes written at once; the room of a pipe (pipe(7))


class _Gap:
    """Lines that are missing here."""

    def __init__(self, count: int) -> None:
        self.count = count


class LineWriter:
    """Writes to `descriptor`, which stays open. `gap` returns the line that stands for so many
    that were dropped; `full` is called, by the thread that wrote, when lines begin to be dropped.
    """

    def __init__(
        self,
        descriptor: int,
        gap: Callable[[int], str],
        full: Callable[[], None] = lambda: None,
        room: int = ROOM,
    ) -> None:
        self._descriptor = descriptor
        self._gap = gap
        self._full = full
        self._room = room
        self._queue: deque[bytes | _Gap] = deque()
        self._size = 0
        self._dropped = 0
        self._lock = threading.Condition()
        self._idle = True
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """How many lines were dropped so far."""
        return self._dropped

    def write(self, line: str) -> None:
        """Write `line` (with its end) after all those before it. Never waits."""
        data = line.encode(errors="backslashreplace")
        with self._lock:
            fits = self._size + len(data) <= self._room and self._started()
            begins = not fits and not (self._queue and isinstance(self._queue[-1], _Gap))
            if fits:
                self._queue.append(data)
                self._size += len(data)
            else:
                self._drop(1, begins)
            if self._idle:  # else the thread looks for more by itself
                self._idle = False
                self._lock.notify_all()
        if begins:
            self._full()

    def flush(self, seconds: float) -> bool:
        """Wait until all is written, `seconds` at most; tell whether it is."""
        with self._lock:
            if self._thread is None:
                return not self._queue
            return self._lock.wait_for(lambda: self._idle, seconds)

    def _drop(self, count: int, begins: bool) -> None:
        self._dropped += count
        if begins:
            self._queue.append(_Gap(count))
        else:
            gap = self._queue[-1]
            assert isinstance(gap, _Gap)
            gap.count += count

    def _started(self) -> bool:
        """Have a thread; tell whether there is one. Where none can be had now, one may later."""
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="log", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return False
            self._thread = thread
        return True

    def _work(self) -> None:
        lost = 0
        while True:
            data, count = self._next()
            if lost:
                data = self._gap(lost).encode(errors="backslashreplace") + data
            try:
                self._put(data)
                lost = 0
            except OSError:  # a full disk, nobody at the other end of the pipe
                with self._lock:
                    self._dropped += count
                lost += count
                self._full()
                time.sleep(0.1)  # each of many lines would try for nothing

    def _next(self) -> tuple[bytes, int]:
        """Wait for lines; return a piece of them, and how many they are."""
        with self._lock:
            if not self._queue:
                self._idle = True
                self._lock.notify_all()
                self._lock.wait_for(lambda: self._queue)
            piece: list[bytes] = []
            size = count = 0
            while self._queue and size < _PIECE:
                one = self._queue.popleft()
                if isinstance(one, _Gap):
                    one = self._gap(one.count).encode(errors="backslashreplace")
                else:
                    self._size -= len(one)
                    count += 1
                piece.append(one)
                size += len(one)
            return b"".join(piece), count

    def _put(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # somebody else has made it non-blocking
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()
