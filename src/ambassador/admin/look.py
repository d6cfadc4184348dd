"""The state that open pages show: made once for all pages, and sent as what has changed.

Without an open page nothing is done and nothing is kept. The numbers of looks begin with the time,
so that numbers of another process are never taken for ours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ambassador.admin.plain import encode
from ambassador.control.reconciler import Reconciler
from ambassador.core.commands import Status
from ambassador.core.results import RouteView, StatusView
from ambassador.tasks import spawn

__all__ = ["Look", "Looks"]

_EVERY = 3.0  # seconds between two looks of a page
_FRESH = 2.9  # seconds for which a look is used for every page, unless there is a new event
_SOON = 0.2  # seconds for which it is used although there is a new event
_SHARE = 20.0  # the next look comes after so many times what the last one took,
_SELDOM = 10.0  # but after so many seconds at the latest
_FORGET = 30.0  # seconds after the last look until everything is forgotten
_GONE = 1000  # removed routes that are remembered


@dataclass(frozen=True, slots=True)
class Look:
    """What has changed since the look with the number `since`: routes as in `status`, and the names
    of routes that are gone. If that look is not known, `whole` is true, and there are all routes.
    `every` is how many seconds a page waits until the next look; `event` is the number of the last
    event.
    """

    since: int = 0


@dataclass(frozen=True, slots=True)
class _Known:
    view: RouteView
    number: int  # of the look in which the route changed last
    text: str


class Looks:
    """Answers the looks of pages, for `reconciler`."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._making: asyncio.Task[None] | None = None
        self._forgetting: asyncio.TimerHandle | None = None
        self._forget()

    def _forget(self) -> None:
        self._known: dict[str, _Known] = {}
        self._gone: dict[str, int] = {}
        self._program, self._event = "", -1
        self._number = self._first = int(time.time() * 1000)
        self._made, self._every = float("-inf"), _EVERY

    async def __call__(self, wanted: Look) -> Sequence[bytes]:
        """Return the answer, as JSON in pieces."""
        loop = asyncio.get_running_loop()
        if self._forgetting is not None:
            self._forgetting.cancel()
        self._forgetting = loop.call_later(_FORGET, self._forget)
        happened = self._reconciler.events.last != self._event
        if loop.time() - self._made > (_SOON if happened else _FRESH):
            if self._making is None or self._making.done():
                self._making = spawn(self._make(), "look for pages")
            await asyncio.shield(self._making)
        return await asyncio.to_thread(self._told, wanted.since)

    async def _make(self) -> None:
        loop = asyncio.get_running_loop()
        began, self._event = loop.time(), self._reconciler.events.last
        view = await self._reconciler.execute(Status())
        assert isinstance(view, StatusView)
        await asyncio.to_thread(self._take, view)
        self._made = loop.time()
        self._every = min(_SELDOM, max(_EVERY, round((self._made - began) * _SHARE, 1)))

    def _take(self, view: StatusView) -> None:
        """Find what has changed since the last look."""
        self._number += 1
        known: dict[str, _Known] = {}
        for route in view.routes:
            before = self._known.get(route.name)
            if before is None or before.view != route:
                before = _Known(route, self._number, encode(route))
            known[route.name] = before
        self._gone |= {name: self._number for name in self._known if name not in known}
        self._gone = {name: number for name, number in self._gone.items() if name not in known}
        if len(self._gone) > _GONE:
            self._gone, self._first = {}, self._number
        self._known = known
        self._program = encode(replace(view, routes=()))

    def _told(self, since: int) -> Sequence[bytes]:
        whole = not self._first < since <= self._number
        routes = [one.text for one in self._known.values() if whole or one.number > since]
        gone = [name for name, number in self._gone.items() if number > since and not whole]
        head: dict[str, Any] = {
            "number": self._number,
            "every": self._every,
            "whole": whole,
            "event": self._reconciler.events.last,
            "gone": gone,
        }
        begin = f'{encode(head)[:-1]}, "program": {self._program}, "routes": ['
        return [f"{begin}{', '.join(routes)}]}}".encode()]
