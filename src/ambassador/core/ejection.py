"""When an address is left out that takes connections and resets them at once.

One session that is reset before anything was said to its client may be an accident; so many in a
row are none. Half of the addresses stay, whatever they do: if all reset, no other is better.
"""

from __future__ import annotations

__all__ = ["EARLY", "IN_A_ROW", "ejects"]

EARLY = 1.0  # seconds after its beginning in which a reset is early
IN_A_ROW = 5  # early resets, without a session between that is none


def ejects(in_a_row: int, ejected: int, addresses: int) -> bool:
    """Return whether an address leaves after `in_a_row` early resets, while `ejected` of all
    `addresses` of its route have left already.
    """
    return in_a_row >= IN_A_ROW and 2 * (ejected + 1) <= addresses
