"""What one worker writes into the shared memory, and what it sees of the others there."""

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
    """The `number`th of `shared`; `room` is how many sessions it may have."""

    def __init__(self, shared: Shared, number: int, room: int) -> None:
        self.number = number
        self.company = 1  # workers there are
        self._room = room
        self._shared = shared
        self._cells = shared.cells
        self._base = number * COLUMNS
        self._others = [one * COLUMNS for one in range(1, shared.rows + 1) if one != number]
        self._still: dict[int, int] = {}  # who leaves clients waiting, and the turn it had then
        self._left = 0, 0  # whom a client was left to, and its turn then
        self._cells[self._base + LOAD] = 0

    @property
    def version(self) -> int:
        """The version of the doors that all are to know."""
        return self._cells[VERSION]

    @property
    def is_let_go(self) -> bool:
        """Whether it is to end once the relay is gone."""
        return bool(self._cells[self._base + LET_GO])

    def book(self, number: int) -> int:
        """Return where it counts what it does at a door."""
        return book(self.number, number)

    def turned(self) -> None:
        """Note that a turn is over."""
        self._cells[self._base + TURN] += 1

    def begun(self, place: int) -> None:
        """Count a session in the book at `place`."""
        self._cells[place + BEGUN] += 1
        self._cells[self._base + LOAD] += 1

    def ended(self, place: int, event: Event, to_upstream: int, to_client: int) -> None:
        """Count its end, which the relay may never hear."""
        cells = self._cells
        cells[self._base + LOAD] -= 1
        cells[place + ENDS.get(event, OTHER)] += 1
        cells[place + UP] += to_upstream
        cells[place + DOWN] += to_client

    def withdraw(self) -> None:
        """Have nobody leave a client to this worker any longer."""
        if self._cells[self._base + LOAD] < ABSENT // 2:
            self._cells[self._base + LOAD] += ABSENT

    def rejoin(self) -> None:
        """Clients may be left to it again."""
        if self._cells[self._base + LOAD] >= ABSENT // 2:
            self._cells[self._base + LOAD] -= ABSENT

    def load(self, change: int) -> None:
        """Have so many sessions more."""
        self._cells[self._base + LOAD] += change

    def may_accept(self, door: int, lead: int) -> bool:
        """Tell whether a client of `door` is ours; where another has fewer sessions, by more than
        `lead`, it is told that there is somebody.

        An even spread of sessions is what gives an even share of the cores; where many come at
        once and go at once, that is not worth a message.
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
        with contextlib.suppress(OSError):  # full: it has been told
            box.send(door.to_bytes(NUDGE_BYTES, "little"))
        self._left = who, cells[who + TURN]
        return False

    def judge_others(self) -> None:
        """Leave nothing any longer to one who has not come to it in the meantime."""
        who, turn = self._left
        if self._cells[who + TURN] == turn:
            self._still[who] = turn
