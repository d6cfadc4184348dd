"""The ledger: what the relay writes for the next relay, should it be killed, into the memory that
it shares with its workers: its routes, what they have counted, and the wishes of the operator.
`reclaim` reads it.

Workers and the relay write their books into the same memory (`shared.Shared`). So the ledger may be
a moment old: it says how much of each book it has counted, and the reader adds the rest.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any

from ambassador import log
from ambassador.core.departure import Standing
from ambassador.core.plan import ChangeRoute, Step
from ambassador.planes.relay.listener import StreamListener
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.remains import Text
from ambassador.planes.relay.shared import NO_DOOR, Shared
from ambassador.planes.relay.tally import Tally, values
from ambassador.ports import RouteStatus
from ambassador.spec import format_address, format_existing

if TYPE_CHECKING:
    from ambassador.planes.relay.route import RelayRoute

__all__ = ["Ledger", "looks_other"]

_PAUSE = 0.02  # seconds at least between two writings of what was counted
_PIECE = 50  # entries of routes that are made anew at once: 2 ms
_BETWEEN = 0.01  # seconds between two such pieces
_SHARE = 30  # pause so many times as long as a writing takes: a thirtieth of this process's time


class Ledger:
    """Writes it. `routes` yields each route, and whether it has left; `tally`: see Tally."""

    def __init__(
        self, routes: Callable[[], Iterable[tuple[RelayRoute, bool]]], tally: Tally
    ) -> None:
        self.count: Callable[[RouteStatus], Mapping[str, float]] = lambda _: {}
        self._routes = routes
        self._tally = tally
        self._shared: Shared | None = None
        self._wishes: Callable[[], bytes] = bytes
        self._touched: set[int] = set()  # serials of routes
        self._entries: dict[int, str] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._unwritten = False

    def begin(self, shared: Shared) -> None:
        """Write from now on: there are workers, which keep `shared`."""
        self._shared = shared
        self._write(shared.wishes, self._wishes())
        self._entries.clear()
        self.routes_changed()

    def end(self) -> None:
        """Write no longer: there are no workers."""
        self._shared = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def wish(self, wishes: Callable[[], bytes]) -> None:
        """Write the wishes of the operator, now and at `begin`; `wishes` returns them as text."""
        self._wishes = wishes
        if self._shared is not None:
            self._write(self._shared.wishes, wishes())

    def routes_changed(self) -> None:
        """Write which routes there are now."""
        if self._shared is None:
            return
        found = [_route(one, has_left) for one, has_left in self._routes()]
        self._write(self._shared.routes, json.dumps(found).encode())
        self._later(0.0)

    def touch(self, live: LiveRoute) -> None:
        """Write soon what was counted of a route."""
        if self._shared is None:
            return
        self._touched.add(live.serial)
        if self._timer is None:
            self._later(_PAUSE)

    def _later(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._note)

    def _note(self) -> None:
        self._timer = None
        if self._shared is None:
            return
        began = time.monotonic()
        touched, self._touched = self._touched, set()
        before, self._entries = self._entries, {}
        fresh = 0
        for route, _ in self._routes():
            serial = route.live.serial
            entry = before.get(serial)
            if entry is None or serial in touched:
                fresh += 1
                if fresh <= _PIECE:
                    entry = json.dumps(self._entry(route))
                else:  # its turn is in the next piece
                    self._touched.add(serial)
            if entry is not None:
                self._entries[serial] = entry
        entries = ",".join(f'"{serial}":{entry}' for serial, entry in self._entries.items())
        self._write(self._shared.counted, f"{{{entries}}}".encode())
        if fresh > _PIECE:
            self._later(_BETWEEN)
            return
        took = time.monotonic() - began
        if took * _SHARE > _PAUSE:  # routes that are touched meanwhile wait for this timer
            self._later(took * _SHARE)

    def _entry(self, route: RelayRoute) -> dict[str, Any]:
        books = {one.book for one in route.listeners if isinstance(one, StreamListener)}
        entry: dict[str, Any] = {
            "number": route.live.number,
            "counted": dict(self.count(route.lasting())),
            "told": [list(one) for one in self._told(books)],
        }
        if route.departures.any_left:
            left = [one.number for one in route.sessions if one.standing is Standing.LEAVING]
            entry["left"] = left
            entry["leaving"] = [
                [
                    *(why.reason.value, format_existing(why.existing), began),
                    [one.number for one in sessions],
                ]
                for why, began, sessions in route.departures.under_way
            ]
        return entry

    def _told(self, books: Set[int]) -> Iterator[tuple[int, int, list[int]]]:
        """Yield row, number and counts of each book, as far as `count` has them."""
        yield from self._tally.rows(books)
        if self._shared is not None:  # its own book is written as it counts
            for number in books - {NO_DOOR}:
                yield 0, number, values(self._shared, 0, number)

    def _write(self, text: Text, data: bytes) -> None:
        try:
            text.write(data)
        except OSError as error:
            if not self._unwritten:
                log.event(
                    log.WARNING,
                    "not_left",
                    "if this process is killed, the next one will not know all its sessions and "
                    f"counters: {error}",
                    reason=str(error),
                )
            self._unwritten = True
        else:
            self._unwritten = False


def _route(route: RelayRoute, has_left: bool) -> list[Any]:
    """Return [serial, protocol, listen address, name, `existing`, whether it has left]."""
    it = route.live.route
    return [
        *(route.live.serial, it.proto.value, format_address(it.listen), it.name),
        *(format_existing(it.existing), has_left),
    ]


def looks_other(step: Step) -> bool:
    """Return whether `step` changes what the ledger says of a route."""
    if not isinstance(step, ChangeRoute):
        return False
    before, now = step.old, step.new
    return (before.name, before.existing) != (now.name, now.existing)
