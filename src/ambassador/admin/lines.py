"""Events as lines of JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ambassador.admin.operations import Events
from ambassador.admin.plain import encode
from ambassador.control.reconciler import Reconciler
from ambassador.tasks import Slice

__all__ = ["lines_of"]

_AT_ONCE = 20  # events sent in one piece, which takes 0.3 ms


async def lines_of(reconciler: Reconciler, wanted: Events) -> AsyncIterator[bytes]:
    """Yield the wanted events, some lines at a time; with `follow` until the program ends."""
    last = wanted.after
    known = reconciler.events.since(last)
    while True:
        piece = Slice()
        for first in range(0, len(known), _AT_ONCE):
            some = known[first : first + _AT_ONCE]
            yield "".join(encode(event) + "\n" for event in some).encode()
            last = some[-1].number
            await piece.end()
        if not wanted.follow:
            return
        known = await reconciler.events.wait(last)
        if not known:
            return
