"""What is counted already of what workers have written into their books (see `shared`).

A worker writes each session into the shared memory by itself, and tells of it a little later. What
the relay has not been told of is the difference: it is what a worker that has died has lost, and
what the next relay has to count where this one is killed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ambassador.core.session import Event
from ambassador.planes.relay.shared import BEGUN, DOWN, EACH, ENDS, OTHER, UP, Shared, book

__all__ = ["Tally"]


class Tally:
    """Of all workers, by row and number of a book."""

    def __init__(self) -> None:
        self.told: dict[tuple[int, int], list[int]] = {}

    def begun(self, row: int, number: int, count: int) -> None:
        """So many sessions that have begun are counted."""
        self._book(row, number)[BEGUN] += count

    def ended(
        self, row: int, number: int, event: Event, count: int, carried: tuple[int, int]
    ) -> None:
        """So many ends of sessions are counted, and the bytes of all of them together (to
        upstream, to client)."""
        told = self._book(row, number)
        told[ENDS.get(event, OTHER)] += count
        told[UP] += carried[0]
        told[DOWN] += carried[1]

    def missing(self, shared: Shared, row: int, number: int) -> int:
        """Return how many sessions have begun and are not counted."""
        return int(shared.cells[book(row, number) + BEGUN]) - self._book(row, number)[BEGUN]

    def close(self, shared: Shared, row: int) -> None:
        """All that the worker of a `row` had is counted, whatever it may have written there."""
        for one, number in list(self.told):
            if one == row:
                self.told[row, number] = values(shared, row, number)

    def rows(self, books: Collection[int]) -> Iterator[tuple[int, int, list[int]]]:
        """Yield row, number and what is counted of these `books`."""
        for (row, number), told in self.told.items():
            if number in books:
                yield row, number, told

    def _book(self, row: int, number: int) -> list[int]:
        found = self.told.get((row, number))
        if found is None:
            found = self.told[row, number] = [0] * EACH
        return found


def values(shared: Shared, row: int, number: int) -> list[int]:
    """Return what stands in a book."""
    place = book(row, number)
    return [int(one) for one in shared.cells[place : place + EACH]]
