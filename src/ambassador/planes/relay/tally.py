"""What the relay has counted already of the books that workers write (see `shared`), and its own
book, of sessions that it carries itself.

A worker counts each session in its book at once, and tells the relay of it a little later. The
difference is what the relay has not been told of: the sessions that are lost when a worker dies,
and what the next relay has to count when this one is killed. The relay's own book, in row 0, is for
that alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ambassador.core.session import Event
from ambassador.model import Reason
from ambassador.planes.relay.facts import REASONS
from ambassador.planes.relay.shared import (
    BEGUN,
    DOWN,
    EACH,
    ENDS,
    NO_DOOR,
    OTHER,
    UP,
    Shared,
    book,
)

__all__ = ["Tally", "begun_here", "ended_here", "values"]

_ROW = 0
_PLACES = {REASONS[event]: place for event, place in ENDS.items()}


class Tally:
    """What is counted, for all workers, by row and number of a book."""

    def __init__(self) -> None:
        self.told: dict[tuple[int, int], list[int]] = {}

    def begun(self, row: int, number: int, count: int) -> None:
        """Note that `count` sessions which have begun are counted."""
        self._book(row, number)[BEGUN] += count

    def ended(
        self, row: int, number: int, event: Event, count: int, carried: tuple[int, int]
    ) -> None:
        """Note that the ends of `count` sessions are counted, with the bytes that they have
        `carried` together (to upstream, to client).
        """
        told = self._book(row, number)
        told[ENDS.get(event, OTHER)] += count
        told[UP] += carried[0]
        told[DOWN] += carried[1]

    def missing(self, shared: Shared, row: int, number: int) -> int:
        """Return how many sessions have begun that are not counted yet."""
        return int(shared.cells[book(row, number) + BEGUN]) - self._book(row, number)[BEGUN]

    def close(self, shared: Shared, row: int) -> None:
        """Take the books of the worker of a `row`, as they are now, as counted."""
        for one, number in list(self.told):
            if one == row:
                self.told[row, number] = values(shared, row, number)

    def rows(self, books: Collection[int]) -> Iterator[tuple[int, int, list[int]]]:
        """Yield row, number and counts of each of these `books`."""
        for (row, number), told in self.told.items():
            if number in books:
                yield row, number, told

    def _book(self, row: int, number: int) -> list[int]:
        found = self.told.get((row, number))
        if found is None:
            found = self.told[row, number] = [0] * EACH
        return found


def begun_here(shared: Shared | None, number: int) -> None:
    """Count a session that the relay carries itself as begun at the listener with this `number`;
    not where there is no `shared` memory, or no number.
    """
    if shared is not None and number != NO_DOOR:
        shared.cells[book(_ROW, number) + BEGUN] += 1


def ended_here(
    shared: Shared | None,
    number: int,
    reason: Reason,
    carried: tuple[int, int] = (0, 0),
    count: int = 1,
) -> None:
    """Count sessions as ended for `reason`, and what they had `carried` together (to upstream, to
    client); see begun_here. Of reasons that no worker has, the next relay knows only that the
    session was cut.
    """
    if shared is None or number == NO_DOOR:
        return
    cells, place = shared.cells, book(_ROW, number)
    cells[place + _PLACES.get(reason, OTHER)] += count
    cells[place + UP] += carried[0]
    cells[place + DOWN] += carried[1]


def values(shared: Shared, row: int, number: int) -> list[int]:
    """Return the counts of a book."""
    place = book(row, number)
    return [int(one) for one in shared.cells[place : place + EACH]]
