"""Log when conntrack's table is nearly full, when it is full, and when it has room again: packets
that the kernel drops for this reason reach no plane.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import IntEnum

from ambassador import log
from ambassador.planes.kernel.tracking import Fill, fill
from ambassador.ports import RouteStatus

__all__ = ["Fullness", "FullnessWatch", "fullness", "with_fullness"]

_CHECK, _SOON = 5.0, 1.0  # seconds between two looks; the second while it is nearly full
# Between these two levels nothing is logged: so a table that stays about as full is logged once.
_NEARLY, _ROOM = 0.95, 0.90


class Fullness(IntEnum):
    """How full conntrack's table is."""

    ROOM = 0
    NEARLY = 1
    FULL = 2  # packets without an entry are dropped, at any port


class FullnessWatch:
    """Looks from `open` to `close`; `look` returns how full the table is, or None where this
    namespace does not show it. That may change when a kernel module is loaded.
    """

    def __init__(self, look: Callable[[], Fill | None] = fill) -> None:
        self._look = look
        self._found = Fullness.ROOM
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Look now, and then regularly."""
        if (found := self._look()) is not None:
            self._tell(found)
        pause = _SOON if self._found else _CHECK
        self._timer = asyncio.get_running_loop().call_later(pause, self.open)

    def _tell(self, found: Fill) -> None:
        before, self._found = self._found, fullness(found, before=self._found)
        if self._found > before:
            full = self._found is Fullness.FULL
            log.event(
                log.WARNING,
                "conntrack_full" if full else "conntrack_nearly_full",
                f"{_full(found)}; open ones go on {_cure(found)}"
                if full
                else f"conntrack's table has {found.entries} of {found.limit} entries: when it is "
                f"full, new connections get no answer {_cure(found)}",
                count=found.entries,
                limit=found.limit,
            )
        elif before and not self._found:
            log.event(
                log.INFO,
                "conntrack_not_full",
                f"conntrack's table has room again: {found.entries} of {found.limit} entries",
                count=found.entries,
                limit=found.limit,
            )

    def close(self) -> None:
        """Look no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def fullness(found: Fill, *, before: Fullness) -> Fullness:
    """Return how full the table is; `before`: how full it was, when it was looked at last."""
    if found.entries >= found.limit:
        return Fullness.FULL
    nearly = found.entries >= found.limit * (_ROOM if before else _NEARLY)
    return Fullness.NEARLY if nearly else Fullness.ROOM


def with_fullness(
    statuses: Sequence[RouteStatus], look: Callable[[], Fill | None] = fill
) -> Sequence[RouteStatus]:
    """Return `statuses`, with the reason why new clients are not served if the table is full."""
    found = look()
    if found is None or found.entries < found.limit:
        return statuses
    return [replace(one, why=f"{_full(found)}{_and(one.why)}") for one in statuses]


def _full(found: Fill) -> str:
    return (
        f"conntrack's table is full, {found.entries} of {found.limit} entries: "
        "the kernel drops new connections before any plane sees them"
    )


def _cure(found: Fill) -> str:
    return f"(on the host: sysctl net.netfilter.nf_conntrack_max={found.limit * 4})"


def _and(why: str) -> str:
    return f"; {why}" if why else ""
