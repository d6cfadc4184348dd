"""What the relay and its workers share: numbers in memory, and a letter box for each worker.

Each number is written by one process only, whole (8 bytes, aligned), and read by any. It is an
unnamed file (memfd_create(2)): it needs no /dev/shm, and goes with the last process that has it.

    row 0        VERSION   of the doors the workers are to know
    row 1, 2...  LOAD      sessions the worker has; ABSENT where there is no worker
                 TURN      grows with each turn of its poller: it is at work
                 DOOR + n  sessions it has begun for clients of door n, ever
"""

from __future__ import annotations

import mmap
import os
import socket

__all__ = ["ABSENT", "COLUMNS", "DOOR", "DOORS", "LOAD", "TURN", "VERSION", "Shared"]

VERSION = 0
LOAD, TURN, DOOR = range(3)
DOORS = 1022  # that workers can have at once; clients of others are the relay's own
COLUMNS = DOOR + DOORS
ABSENT = 1 << 62
_CELL = 8


class Shared:
    """`rows` workers at most. With `descriptors` it is what another process has made: the memory,
    and of each letter box the end to read from and the end to write to.
    """

    def __init__(self, rows: int, descriptors: tuple[int, ...] = ()) -> None:
        self.rows = rows
        size = (rows + 1) * COLUMNS * _CELL
        if descriptors:
            memory, *ends = descriptors
        else:
            memory = os.memfd_create("ambassador", os.MFD_CLOEXEC)
            ends = []
        self._memory = memory
        try:
            if not descriptors:
                os.ftruncate(memory, size)
            self._map = mmap.mmap(memory, size)
        except BaseException:
            os.close(memory)
            raise
        self.cells = memoryview(self._map).cast("Q")
        if descriptors:
            made = [socket.socket(fileno=one) for one in ends]
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
        return (self._memory, *(end.fileno() for pair in self.boxes for end in pair))

    def close(self) -> None:
        """Let go of it; others keep it."""
        self.cells.release()
        self._map.close()
        os.close(self._memory)
        for pair in self.boxes:
            for end in pair:
                end.close()
