"""Sessions and flows that wait at one held route: `core.hold` decides, here they are kept."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

from ambassador.core.hold import admits, next_overdue, overdue
from ambassador.model import Hold

__all__ = ["HoldQueue"]


_PIECE = 20  # sessions that are released in one turn of the event loop: 2 ms


class _Waiting(NamedTuple):
    since: float
    opened: Callable[[], None]
    late: Callable[[], None]


class HoldQueue:
    """The sessions and flows that wait, in the order in which they came."""

    def __init__(self) -> None:
        self.entered = 0  # how many have waited, ever
        self._hold = Hold()
        self._releasing = False
        self._waiting: dict[Hashable, _Waiting] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(tuple(self._waiting))

    def __contains__(self, who: Hashable) -> bool:
        return who in self._waiting

    def since(self, who: Hashable) -> float:
        """Return since when `who` waits, by the loop's clock."""
        return self._waiting[who].since

    def enter(
        self,
        who: Hashable,
        hold: Hold,
        opened: Callable[[], None],
        late: Callable[[], None],
        since: float | None = None,
    ) -> bool:
        """Let `who`, a session or flow, wait, if there is room: `opened` is called when the route
        is released, `late` when it has waited too long; either ends the wait. Return whether it may
        wait. `since`: it has waited since then in another process, and was counted there.
        """
        self._hold = hold
        if not admits(hold, len(self._waiting)):
            return False
        self.entered += since is None
        loop = asyncio.get_running_loop()
        self._waiting[who] = _Waiting(loop.time() if since is None else since, opened, late)
        if self._timer is None:
            self._arm(loop)
        return True

    def leave(self, who: Hashable) -> None:
        """Let `who`, a session or flow, wait no longer, if it does."""
        self._waiting.pop(who, None)

    def first(self, count: int) -> list[Any]:
        """Return the clients that have waited longest, `count` at most."""
        return list(itertools.islice(self._waiting, count))

    def change(self, hold: Hold | None) -> None:
        """Go by `hold` from now on; None releases all sessions, in the order in which they came."""
        if hold is not None:
            self._hold = hold
            self._releasing = False
            self._look()
            return
        self._disarm()
        self._releasing = True
        self._release()

    def _release(self) -> None:
        """Release some sessions, again and again, until none waits or the route is held again."""
        if not self._releasing:
            return
        for who in list(itertools.islice(self._waiting, _PIECE)):
            # The release of another session may have ended this one.
            if (one := self._waiting.pop(who, None)) is not None:
                one.opened()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._release)
        else:
            self._releasing = False

    def _look(self) -> None:
        self._disarm()
        if not self._waiting:
            return
        loop = asyncio.get_running_loop()
        since = [one.since for one in itertools.islice(self._waiting.values(), _PIECE)]
        for who in list(self._waiting)[: overdue(self._hold, since, loop.time())]:
            # The end of another session may have ended this one.
            if (one := self._waiting.pop(who, None)) is not None:
                one.late()
        self._arm(loop)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        oldest = next((one.since for one in self._waiting.values()), None)
        moment = next_overdue(self._hold, oldest)
        if moment is not None:
            self._timer = loop.call_at(moment, self._look)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
