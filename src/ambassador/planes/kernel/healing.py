"""Restore our table when another program has changed it: at once, or, if this happens again and
again, after a pause that grows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.planes.kernel.layout import TABLE
from ambassador.tasks import spawn

__all__ = ["Healing", "next_pause"]

_SHORTEST, _LONGEST = 0.25, 30.0
_QUIET = 60.0  # seconds without a change, after which the table is restored at once again


def next_pause(last: float, since: float) -> float:
    """Return how many seconds to wait before the table is restored: the `last` pause was so long,
    and the table was restored `since` seconds ago.
    """
    if since > _QUIET:
        return 0.0
    return min(max(_SHORTEST, 2 * last), _LONGEST)


class Healing:
    """`restore` makes the table whole again; raises PlaneError."""

    def __init__(self, restore: Callable[[], Awaitable[None]]) -> None:
        self._restore = restore
        self._by: str | None = None  # the program that changed the table, until that is restored
        self._again = False  # the table was changed again while it was restored
        self._pause = 0.0
        self._whole_at = float("-inf")
        self._failure = ""
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def why(self) -> str:
        """What is wrong with the table at the moment; empty when nothing is."""
        if self._by is None:
            return ""
        if self._failure:
            return f"the rules were changed by {self._by} and cannot be put back: {self._failure}"
        return f"the rules were changed by {self._by}, and are put back"

    def suspect(self, program: str) -> None:
        """Another program, called `program` if that is known, has changed the table."""
        self._by = f"another program ({program})" if program else "another program"
        self._again = True
        if not self._closed and (self._task is None or self._task.done()):
            self._task = spawn(self._heal(), "healing of the rules")

    def close(self) -> None:
        """Restore no longer."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()

    async def _heal(self) -> None:
        loop = asyncio.get_running_loop()
        while self._by is not None:
            self._pause = next_pause(self._pause, loop.time() - self._whole_at)
            if self._pause:
                log.event(
                    log.WARNING,
                    "rules_changed",
                    f"{self._by} changed our table {TABLE} again: it is put back in "
                    f"{self._pause:g} s, and new connections go to the relay until then",
                    pause=self._pause,
                )
                await asyncio.sleep(self._pause)
            by, self._again = self._by, False
            try:
                await self._restore()
            except PlaneError as error:
                self._tell_of_failure(by, str(error))
            else:
                self._failure = ""
                if not self._again:
                    self._by = None
                log.event(
                    log.WARNING,
                    "rules_restored",
                    f"{by} changed our table {TABLE}: it is whole again",
                )
            self._whole_at = loop.time()

    def _tell_of_failure(self, by: str, reason: str) -> None:
        if reason != self._failure:
            self._failure = reason
            log.event(
                log.ERROR,
                "rules_not_restored",
                f"{by} changed our table {TABLE}, and it cannot be put back: {reason}; new "
                "connections reach the relay, and it is tried again",
                reason=reason,
            )
