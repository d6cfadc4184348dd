"""Say when conntrack's table is about to be full, and when it has room again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ambassador import log
from ambassador.planes.kernel.tracking import Fill, fill

__all__ = ["FullnessWatch", "nearly_full"]

_CHECK = 5.0  # seconds between two looks
# Between the two nothing is said, so that a table that is always about as full is told of once.
_NEARLY, _ROOM = 0.95, 0.90


class FullnessWatch:
    """Looks from `open` to `close`; `look` returns what is seen of the table."""

    def __init__(self, look: Callable[[], Fill | None] = fill) -> None:
        self._look = look
        self._full = False
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Look now, and again and again."""
        found = self._look()
        if found is None:  # not shown in this namespace
            return
        before, self._full = self._full, nearly_full(found, before=self._full)
        if self._full and not before:
            log.event(
                log.WARNING,
                "conntrack_full",
                f"conntrack's table has {found.entries} of {found.limit} entries: when it is full, "
                "new connections get no answer "
                f"(on the host: sysctl net.netfilter.nf_conntrack_max={found.limit * 4})",
                count=found.entries,
                limit=found.limit,
            )
        elif before and not self._full:
            log.event(
                log.INFO,
                "conntrack_not_full",
                f"conntrack's table has room again: {found.entries} of {found.limit} entries",
                count=found.entries,
                limit=found.limit,
            )
        self._timer = asyncio.get_running_loop().call_later(_CHECK, self.open)

    def close(self) -> None:
        """Look no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def nearly_full(found: Fill, *, before: bool) -> bool:
    """Return whether the table is about to be full; `before`: whether it was, when it was looked
    at last.
    """
    return found.entries >= found.limit * (_ROOM if before else _NEARLY)
