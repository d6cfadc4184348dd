"""The marks of the segments that poke.py sends, by which our rules know them. Pure."""

from __future__ import annotations

__all__ = ["ENTERED_MARK", "FIRST_MARK", "MARK", "TRACKED_MARK"]

# Segments that end a flow; the first of these; segments to peers of a flow that still has its
# entry; segments that belong to an entry of cut_entry.py. The marks differ in the last two bits.
MARK, FIRST_MARK, TRACKED_MARK, ENTERED_MARK = 0xC07, 0xC04, 0xC06, 0xC05
