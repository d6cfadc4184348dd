"""Whether a source has lost so many of its routes that this was perhaps not intended.

A file that is written in pieces, or was emptied by a full disk, looks like a file whose routes were
removed. To keep a route for too long costs little; to refuse its clients costs a lot.
"""

from __future__ import annotations

from collections.abc import Sequence

from ambassador.model import Route

__all__ = ["most_lost"]


def most_lost(before: Sequence[Route], after: Sequence[Route]) -> tuple[str, ...]:
    """Return the names of the routes that are gone and not replaced, where they are most of those
    `before`; nothing where they are fewer. One route of one, or of two, is not most.
    """
    if len(before) < 2 or 2 * (len(before) - len(after)) <= len(before):
        return ()
    there = {route.key for route in after}
    return tuple(route.name for route in before if route.key not in there)
