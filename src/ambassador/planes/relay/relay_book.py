"""The book of the relay: what it counts of sessions that it carries itself.

It stands in row 0 of the memory that the relay shares with its workers (`shared`), beside theirs.
So the next relay counts these sessions, too, where this one is killed; see `ledger`.
"""

from __future__ import annotations

from ambassador.model import Reason
from ambassador.planes.relay.facts import REASONS
from ambassador.planes.relay.shared import BEGUN, DOWN, ENDS, NO_DOOR, OTHER, UP, Shared, book

__all__ = ["RelayBook"]

_ROW = 0
_PLACES = {REASONS[event]: place for event, place in ENDS.items()}


class RelayBook:
    """Writes it where there is a `shared` memory, for listeners with a number."""

    def __init__(self) -> None:
        self.shared: Shared | None = None  # as long as there are workers

    def begun(self, number: int) -> None:
        """Count a session that has begun at the listener with this `number`."""
        if self.shared is not None and number != NO_DOOR:
            self.shared.cells[book(_ROW, number) + BEGUN] += 1

    def ended(
        self, number: int, reason: Reason, to_upstream: int = 0, to_client: int = 0, count: int = 1
    ) -> None:
        """Count sessions that have ended for `reason`, and the bytes they had carried together. Of
        reasons that no worker has, the next relay knows only that the session was cut.
        """
        if self.shared is None or number == NO_DOOR:
            return
        cells, place = self.shared.cells, book(_ROW, number)
        cells[place + _PLACES.get(reason, OTHER)] += count
        cells[place + UP] += to_upstream
        cells[place + DOWN] += to_client
