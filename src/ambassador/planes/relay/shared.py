"""What the relay and its workers share: numbers in memory, texts, and a letter box for each worker.

Each number is written by one process only, whole (8 bytes, aligned), and read by any. The memory is
an unnamed file (memfd_create(2)): it needs no /dev/shm, and goes with the last process that has it.
So what stands there is there still when the relay was killed: the next one reads it (`reclaim.py`).

    row 0        VERSION   of the doors the workers are to know
    row 1, 2...  LOAD      sessions the worker has; ABSENT where there is no worker
                 TURN      grows with each turn of its poller: it is at work
                 LET_GO    1 where it is to end with its last session, once the relay is gone
                 for each book: BEGUN, what ended by which event, UP, DOWN; see `book`
"""

from __future__ import annotations

import mmap
import os
import socket

from ambassador.core.session import Event
from ambassador.planes.relay.remains import Text

__all__ = [
    "ABSENT",
    "BEGUN",
    "BOOKS",
    "CALLERS",
    "COLUMNS",
    "DOORS",
    "DOWN",
    "EACH",
    "ENDS",
    "FIXED",
    "LET_GO",
    "LOAD",
    "NO_DOOR",
    "OTHER",
    "TURN",
    "UP",
    "VERSION",
    "Shared",
    "book",
]

VERSION = 0
LOAD, TURN, LET_GO, _FIRST = range(4)
DOORS = 1022  # that workers can have at once; clients of others are the relay's own
NO_DOOR = DOORS  # the book of sessions that were handed over, of listeners without a door
BOOKS = DOORS + 1
# In a book: sessions begun at the door, ever; those that have ended, by the event that came first;
# and what these had carried.
BEGUN, OTHER = 0, 6
ENDS = {
    event: number
    for number, event in enumerate(
        (
            *(Event.FAILED, Event.CLIENT_END, Event.UPSTREAM_END),
            *(Event.CLIENT_RESET, Event.UPSTREAM_RESET),
        ),
        start=1,
    )
}
UP, DOWN, EACH = 7, 8, 9
COLUMNS = _FIRST + BOOKS * EACH
ABSENT = 1 << 62
CALLERS = 8  # that may wait for a worker to answer, where its relay was killed
_CELL = 8
_TEXTS = 3
FIXED = 1 + _TEXTS  # descriptors, beside two for each row


def book(row: int, number: int) -> int:
    """Return where the book of a door begins, as the worker of a `row` keeps it."""
    return row * COLUMNS + _FIRST + number * EACH


class Shared:
    """`rows` workers at most. With `descriptors` it is what another process has made: the memory,
    the texts, and of each letter box the end to read from and the end to write to.

    `routes`, `counted` and `wishes` are written by the relay, for the one that comes after it.
    """

    def __init__(self, rows: int, descriptors: tuple[int, ...] = ()) -> None:
        self.rows = rows
        size = (rows + 1) * COLUMNS * _CELL
        if descriptors:
            memory, *rest = descriptors
        else:
            memory, rest = os.memfd_create("ambassador", os.MFD_CLOEXEC), []
        self._memory = memory
        try:
            if not descriptors:
                os.ftruncate(memory, size)
            elif os.fstat(memory).st_size < size:  # else reading beyond its end would end us
                raise OSError("the memory of an earlier process is not whole")
            self._map = mmap.mmap(memory, size)
        except BaseException:
            os.close(memory)
            raise
        self.cells = memoryview(self._map).cast("Q")
        texts = [Text(one) for one in rest[:_TEXTS]] or [Text() for _ in range(_TEXTS)]
        self.routes, self.counted, self.wishes = self._texts = texts
        if descriptors:
            made = [socket.socket(fileno=one) for one in rest[_TEXTS:]]
            self.boxes = list(zip(made[::2], made[1::2], strict=True))
        else:
            self.boxes = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(rows)]
            for row in range(1, rows + 1):
                self.cells[row * COLUMNS + LOAD] = ABSENT
        for pair in self.boxes:
            for end in pair:
                end.setblocking(False)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What another process needs to have it, too."""
        texts = (text.descriptor for text in self._texts)
        return (self._memory, *texts, *(end.fileno() for pair in self.boxes for end in pair))

    def close(self) -> None:
        """Let go of it; others keep it."""
        self.cells.release()
        self._map.close()
        os.close(self._memory)
        for text in self._texts:
            text.close()
        for pair in self.boxes:
            for end in pair:
                end.close()
