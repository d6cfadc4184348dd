"""What the history of a service says, and what an undo goes back to. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ambassador.core.fleet.records import Entry

__all__ = ["MOST", "to_undo"]

MOST = 100  # entries kept for a service; the oldest is dropped when the next is added


def to_undo(history: Mapping[int, Entry]) -> int | None:
    """Return the number of the last move still in force; None where there is none to take back. A
    move that was undone or aborted is not in force, and an undo is no move.
    """
    gone = {entry.of for entry in history.values() if entry.of}
    standing = (n for n, entry in history.items() if entry.what == "move" and n not in gone)
    return max(standing, default=None)
