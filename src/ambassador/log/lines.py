"""Lines written to a descriptor by a thread, so that a stopped reader does not block the program.

A write to a full pipe blocks until its reader reads (pipe(7)), and O_NONBLOCK would be set for
every process that shares the pipe (fcntl(2)). So lines wait in a queue of bounded size. A line that
finds no room is dropped and counted, and one line in its place says how many are missing.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

__all__ = ["ROOM", "LineWriter"]

ROOM = 4 << 20  # bytes that may wait: some 30,000 lines
_PIECE = 64 << 10  # bytes written at once; the capacity of a pipe (pipe(7))


class _Gap:
    """Lines that are missing here."""

    def __init__(self, count: int) -> None:
        self.count = count


class LineWriter:
    """Writes to `descriptor`, which stays open. `gap` returns a line that says how many lines were
    dropped. `full` is called when lines begin to be dropped, in the thread that called `write`.
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
        """Write `line` (with its newline) after all lines before it. Never waits."""
        data = line.encode(errors="backslashreplace")
        with self._lock:
            fits = self._size + len(data) <= self._room and self._started()
            begins = not fits and not (self._queue and isinstance(self._queue[-1], _Gap))
            if fits:
                self._queue.append(data)
                self._size += len(data)
            else:
                self._drop(1, begins)
            if self._idle:  # otherwise the thread looks for more by itself
                self._idle = False
                self._lock.notify_all()
        if begins:
            self._full()

    def flush(self, seconds: float) -> bool:
        """Wait until all is written, `seconds` at most; return whether it is."""
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
        """Start the thread if it does not run; return whether it runs. If it cannot start now, it
        may later.
        """
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
            except OSError:  # a full disk, or a pipe without a reader
                with self._lock:
                    self._dropped += count
                lost += count
                self._full()
                time.sleep(0.1)  # do not try in vain for each of many lines

    def _next(self) -> tuple[bytes, int]:
        """Wait for lines; return some of them as one piece, and how many these are."""
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
            except BlockingIOError:  # another process has made it non-blocking
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()
