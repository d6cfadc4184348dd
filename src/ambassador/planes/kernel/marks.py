"""The marks of segments of our own making (poke.py): what becomes of each in our table. Pure."""

from __future__ import annotations

__all__ = ["ENTERED_MARK", "FIRST_MARK", "MARK", "TRACKED_MARK"]

# Of those that end flows, of the first of them, of those beside which a flow is still tracked, and
# of those that belong to an entry of a flow that was cut. They differ in the last two bits.
MARK, FIRST_MARK, TRACKED_MARK, ENTERED_MARK = 0xC07, 0xC04, 0xC06, 0xC05
