"""What the relay and its workers share: numbers in memory, texts, and a letter box for each worker.

The memory is a table of cells with a row for each worker. A row has a few cells of its own, and its
books. A book is the counters of one worker for one door: sessions begun, sessions ended by event,
and bytes. A letter box is a pair of datagram sockets, through which workers tell each other that a
client waits at a door.

Each cell is 8 bytes, aligned: so it is written whole. One process writes it, any may read it. The
memory is an unnamed file (memfd_create(2)): it needs no /dev/shm, and the kernel frees it with the
last process that has it. So it is still there after the relay was killed, and the next relay reads
it (`reclaim.py`).

    row 0        VERSION   of the doors that the workers are to know
    row 1, 2...  LOAD      sessions the worker has; ABSENT where there is no worker
                 TURN      grows with each turn of its poller: the worker is at work
                 LET_GO    1 where the worker is to end with its last session, and to wait for no
                           next relay
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
DOORS = 1022  # that workers can have at once; the relay serves clients of more listeners itself
NO_DOOR = DOORS  # the book for sessions that were handed over from listeners without a door
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
CALLERS = 8  # processes that may wait at once to claim a worker whose relay was killed
_CELL = 8
_TEXTS = 3
FIXED = 1 + _TEXTS  # descriptors, beside two for each row


def book(row: int, number: int) -> int:
    """Return the first cell of the book with this `number` in a `row`."""
    return row * COLUMNS + _FIRST + number * EACH


class Shared:
    """Has room for `rows` workers. `descriptors`, where another process has made it: the memory,
    the texts, and of each letter box the end to read from and the end to write to.

    `routes`, `counted` and `wishes` are texts that the relay writes for the next relay.
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
            elif os.fstat(memory).st_size < size:  # to read beyond its end raises SIGBUS
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
        """The descriptors that another process needs to share it."""
        texts = (text.descriptor for text in self._texts)
        return (self._memory, *texts, *(end.fileno() for pair in self.boxes for end in pair))

    def close(self) -> None:
        """Close it in this process; other processes keep it."""
        self.cells.release()
        self._map.close()
        os.close(self._memory)
        for text in self._texts:
            text.close()
        for pair in self.boxes:
            for end in pair:
                end.close()
