"""When an address is left out because it accepts connections and resets them at once.

One session that is reset before anything was sent to its client may be an accident; `IN_A_ROW` such
sessions in a row are not. Half of the addresses always stay: if all reset, no other is better.
"""

from __future__ import annotations

__all__ = ["EARLY", "IN_A_ROW", "ejects"]

EARLY = 1.0  # seconds after the beginning of a session in which a reset is early
IN_A_ROW = 5  # early resets, without another session between them


def ejects(in_a_row: int, ejected: int, addresses: int) -> bool:
    """Return whether an address is left out after `in_a_row` early resets, while `ejected` of all
    `addresses` of its route are left out already.
    """
    return in_a_row >= IN_A_ROW and 2 * (ejected + 1) <= addresses
