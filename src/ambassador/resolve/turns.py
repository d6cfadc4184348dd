"""Questions take turns: a thousand names must not ask at one moment.

A question costs about 1.5 ms of CPU and two sockets. Started one after the other with a pause, they
leave the loop time for sessions; a name that a client waits for goes first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

__all__ = ["Turns"]

_PAUSE = 0.004  # seconds between two questions that had to wait
_MOST = 100  # under way at one time; with a name server that does not answer, each takes 4 s


class Turns:
    """Each `begin` is followed by one `end`."""

    def __init__(self, pause: float = _PAUSE, most: int = _MOST) -> None:
        self._pause = pause
        self._most = most
        self._waiting: OrderedDict[str, asyncio.Future[None]] = OrderedDict()
        self._under_way = 0
        self._timer: asyncio.TimerHandle | None = None

    async def begin(self, name: str, *, urgent: bool) -> None:
        """Wait until `name` may be asked for."""
        turn = self._waiting[name] = asyncio.get_running_loop().create_future()
        if urgent:
            self.hurry(name)
        if self._timer is None:
            self._next()
        try:
            await turn
        except asyncio.CancelledError:
            if self._waiting.pop(name, None) is None:
                self.end()  # its turn had been given to it
            raise

    def end(self) -> None:
        """A question has ended: the next one may begin."""
        self._under_way -= 1
        if self._timer is None:
            self._next()

    def hurry(self, name: str) -> None:
        """Let `name`, if it waits, go first."""
        if name in self._waiting:
            self._waiting.move_to_end(name, last=False)

    def _next(self) -> None:
        self._timer = None
        if not self._waiting or self._under_way >= self._most:
            return
        _, turn = self._waiting.popitem(last=False)
        self._under_way += 1
        turn.set_result(None)
        # Also where no question waits yet: the next one may arrive at once.
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._next)
