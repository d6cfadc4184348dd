"""Sessions of one route that wait for a place, where a limit says `wait`, in the order they came.

They wait in queues like that of a held route. A place is free when a session ends, or when `rate`
allows the next new session; then the client at the head is judged again, as if it had just come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ambassador.core.limits import client_of, until_next, wait_of
from ambassador.model import Hold, Reason, Route
from ambassador.planes.relay.hold import HoldQueue

if TYPE_CHECKING:
    from ambassador.planes.relay.evidence import Counters
    from ambassador.planes.relay.waiting import WaitingSession

__all__ = ["LimitQueue"]

_MOST = Hold().limit  # sessions that may wait at one route
_LOOKED = 20  # sessions that are judged at once: 0.1 ms


class LimitQueue:
    """`placed` of a session is called when it may go on, `too_late` when no place came in time;
    `route` tells how the route is now.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._queues: dict[tuple[Reason, str], HoldQueue] = {}  # for LIMIT_CLIENT one each client
        self._where: dict[WaitingSession, tuple[Reason, str]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._where)

    def takes(self, route: Route, reason: Reason) -> bool:
        """Tell whether a client refused for `reason` may wait instead."""
        return wait_of(route, reason) > 0 and len(self) < _MOST

    def waits_for(self, reason: Reason) -> bool:
        """Tell whether some client waits for `reason`: it is before a client that comes now."""
        return (reason, "") in self._queues

    def __contains__(self, who: WaitingSession) -> bool:
        return who in self._where

    def since(self, who: WaitingSession) -> float:
        """Return since when `who` waits; see HoldQueue."""
        return self._queues[self._where[who]].since(who)

    def enter(
        self,
        who: WaitingSession,
        reason: Reason,
        route: Callable[[], Route],
        since: float | None = None,
    ) -> None:
        """Let `who` wait; see `takes`. `since`: see HoldQueue."""
        key = reason, client_of(who.host) if reason is Reason.LIMIT_CLIENT else ""
        queue = self._queues.setdefault(key, HoldQueue())
        hold = Hold(wait_of(route(), reason), _MOST)

        def late() -> None:
            self.leave(who)
            who.too_late()

        self._where[who] = key
        queue.enter(who, hold, who.placed, late, since)
        if reason is Reason.RATE:
            self._arm(route)

    def leave(self, who: WaitingSession) -> None:
        """Let `who` wait no longer, if it does."""
        if (key := self._where.pop(who, None)) is not None:
            queue = self._queues[key]
            queue.leave(who)
            if not queue:
                del self._queues[key]

    def look(self, route: Callable[[], Route], host: str = "") -> None:
        """Let sessions in if a place is free; `host`: of a client whose session has ended."""
        if not self._where:
            return
        client = client_of(host)
        for key in ((Reason.LIMIT_CLIENT, client), (Reason.LIMIT, ""), (Reason.RATE, "")):
            self._let_in(key, route)

    def look_at_all(self, route: Callable[[], Route]) -> None:
        """Let sessions in as the limits allow, which have changed."""
        for key in tuple(self._queues):
            self._let_in(key, route)

    def _let_in(self, key: tuple[Reason, str], route: Callable[[], Route]) -> None:
        queue = self._queues.get(key)
        if queue is None:
            return
        counters, heads = self._counters, queue.first(_LOOKED)
        for who in heads:
            if self._where.get(who) != key:  # another session that came in has ended its wait
                continue
            opened = counters.open - len(self)
            reason = counters.limits.judge(route(), who.host, opened, time.monotonic())
            if reason is None:
                self.leave(who)
                who.placed()
            elif reason is Reason.RATE:
                self._arm(route)
                return
            elif reason is key[0]:
                return
        if len(heads) == _LOOKED and key in self._queues:
            self._arm(route, 0.0)

    def _arm(self, route: Callable[[], Route], seconds: float | None = None) -> None:
        """Look again when `rate` allows the next new session, or after so many `seconds`."""
        if self._timer is not None:
            return
        if seconds is None:
            seconds = until_next(self._counters.limits, route(), time.monotonic())

        def look() -> None:
            self._timer = None
            self.look_at_all(route)

        self._timer = asyncio.get_running_loop().call_later(seconds, look)
