"""What one worker writes into the shared memory, and what it reads there of other workers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ambassador.planes.relay.shared import (
    ABSENT,
    BEGUN,
    COLUMNS,
    DOWN,
    ENDS,
    LET_GO,
    LOAD,
    OTHER,
    TURN,
    UP,
    VERSION,
    Shared,
    book,
)

if TYPE_CHECKING:
    from ambassador.core.session import Event

__all__ = ["NUDGE_BYTES", "Row"]

NUDGE_BYTES = 4


class Row:
    """The row `number` of `shared`, of this worker; `room`: the sessions that it may have."""

    def __init__(self, shared: Shared, number: int, room: int) -> None:
        self.number = number
        self.company = 1  # workers that accept, with this one
        self._room = room
        self._shared = shared
        self._cells = shared.cells
        self._base = number * COLUMNS
        self._others = [one * COLUMNS for one in range(1, shared.rows + 1) if one != number]
        self._still: dict[int, int] = {}  # workers that stand still, and their turn at that time
        self._left = 0, 0  # the worker that a client was left to last, and its turn at that time
        self._cells[self._base + LOAD] = 0

    @property
    def version(self) -> int:
        """The version of the doors that all workers are to know."""
        return self._cells[VERSION]

    @property
    def is_let_go(self) -> bool:
        """Whether the worker is to end with its last session, and not to wait for a next relay."""
        return bool(self._cells[self._base + LET_GO])

    def book(self, number: int) -> int:
        """Return the first cell of its book with this `number`; see Shared."""
        return book(self.number, number)

    def turned(self) -> None:
        """Note that a turn of the poller is over."""
        self._cells[self._base + TURN] += 1

    def begun(self, place: int) -> None:
        """Count a session in the book at `place`."""
        self._cells[place + BEGUN] += 1
        self._cells[self._base + LOAD] += 1

    def ended(self, place: int, event: Event, to_upstream: int, to_client: int) -> None:
        """Count the end of a session; the relay may be gone before it is told."""
        cells = self._cells
        cells[self._base + LOAD] -= 1
        cells[place + ENDS.get(event, OTHER)] += 1
        cells[place + UP] += to_upstream
        cells[place + DOWN] += to_client

    def withdraw(self) -> None:
        """Have no other worker leave clients to this one any longer."""
        if self._cells[self._base + LOAD] < ABSENT // 2:
            self._cells[self._base + LOAD] += ABSENT

    def rejoin(self) -> None:
        """Let other workers leave clients to this one again."""
        if self._cells[self._base + LOAD] >= ABSENT // 2:
            self._cells[self._base + LOAD] -= ABSENT

    def load(self, change: int) -> None:
        """Count `change` sessions more (or fewer) as its load."""
        self._cells[self._base + LOAD] += change

    def may_accept(self, door: int, lead: int) -> bool:
        """Tell whether this worker may accept a client of `door`. It may not where another worker
        has fewer sessions, by more than `lead` and an eighth of its own: then that worker is told
        that a client waits.

        An even spread of sessions makes an even load of the cores. In a flood of short sessions
        the messages for that cost more than they bring.
        """
        cells = self._cells
        mine = cells[self._base + LOAD]
        if mine >= self._room:
            return False
        least, who = ABSENT, 0
        company = 1
        for base in self._others:
            load = cells[base + LOAD]
            company += load < ABSENT // 2
            if load < least and self._still.get(base) != cells[base + TURN]:
                least, who = load, base
        self.company = company
        if mine <= least + lead + (mine >> 3):
            return True
        box = self._shared.boxes[who // COLUMNS - 1][1]
        with contextlib.suppress(OSError):  # the box is full: that worker has been told
            box.send(door.to_bytes(NUDGE_BYTES, "little"))
        self._left = who, cells[who + TURN]
        return False

    def judge_others(self) -> None:
        """Note that the worker a client was left to stands still, if it has made no turn since."""
        who, turn = self._left
        if self._cells[who + TURN] == turn:
            self._still[who] = turn
