"""The doors: listeners that workers accept at, as the relay has them.

When a client comes to a listener while there are workers, the relay opens a door: it gives the
listener to all workers, with the addresses where its clients are led. The relay itself accepts
there no longer, unless no worker does. It shuts the door, and so takes the listener back, where it
has to look at each client (`plain.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ambassador.core.session import Event
from ambassador.model import Reason
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.facts import REASONS
from ambassador.planes.relay.opening import Opening
from ambassador.planes.relay.plain import Plain, plain
from ambassador.planes.relay.resets import lasted, was_reset
from ambassador.planes.relay.shared import (
    ABSENT,
    BEGUN,
    COLUMNS,
    DOORS,
    LOAD,
    TURN,
    VERSION,
    Shared,
    book,
)
from ambassador.planes.relay.tally import Tally
from ambassador.ports import Resolver, SessionsSummed

if TYPE_CHECKING:
    import socket

    from ambassador.planes.relay.listener import StreamListener
    from ambassador.planes.relay.live import LiveRoute
    from ambassador.planes.relay.session import Session
    from ambassador.planes.relay.worker import Worker
    from ambassador.planes.relay.worker_messages import Bring, Door, Ended, Opened, Sum

__all__ = ["Doors"]

_AT_FIRST = 64  # doors that are opened before a client comes
_PATIENCE = 0.5  # seconds to wait for workers to confirm a change: a later one stands still


class Doors:
    """Opens and shuts doors, and counts what workers tell of sessions there. `summed` is told of
    sessions that were over in a moment; without it workers tell of each such session.
    """

    def __init__(
        self,
        resolver: Resolver,
        is_own: Callable[[str, int], bool],
        summed: SessionsSummed | None = None,
    ) -> None:
        self._summed = summed
        self.shared: Shared | None = None  # as long as there are workers
        self.workers: Collection[Worker] = ()
        self.are_kept = False  # all doors stay shut, while workers are let go
        self._resolver = resolver
        self._is_own = is_own
        self._version = 0
        self._heard = asyncio.Event()
        self._open: dict[int, Opening] = {}
        self._numbers: dict[StreamListener, int] = {}
        self.tally = Tally()
        # Called when counters of a route have changed.
        self.touched: Callable[[LiveRoute], None] = lambda _: None

    @property
    def each(self) -> bool:
        """Whether workers tell of each session."""
        return self._summed is None

    def warm(self, listener: StreamListener) -> None:
        """A client has come to `listener`: let workers have it, if there are some."""
        if self.are_kept or not any(one.is_ready for one in self.workers):
            return
        if self.number(listener):
            self.look(listener)

    def open_first(self, listeners: Iterable[StreamListener]) -> None:
        """Open the doors of the first of `listeners` before a client comes there: so workers accept
        clients should the relay be killed.
        """
        for listener in self.number_first(listeners):
            self.warm(listener)

    def number_first(self, listeners: Iterable[StreamListener]) -> list[StreamListener]:
        """Give numbers to the first of `listeners`, which are returned, and to those with sessions:
        before the ledger says which number is whose.
        """
        found = list(listeners)
        first = [one for one in found[:_AT_FIRST] if one.is_open]
        for listener in (*first, *(one for one in found if one.sessions)):
            self.number(listener)
        return first

    @property
    def has_numbers(self) -> bool:
        """Whether there are workers, and numbers that no listener has ever had."""
        return self.shared is not None and len(self._open) < DOORS

    def number(self, listener: StreamListener) -> bool:
        """Give `listener` a number, where it has none yet: its sessions are counted in books with
        that number. Return whether there was one left.
        """
        if listener not in self._numbers:
            if (number := self._free()) is None:
                return False
            self._enter(Opening(number, listener))
        return True

    def _enter(self, opening: Opening) -> None:
        self._numbers[opening.listener] = opening.number
        self._open[opening.number] = opening
        opening.listener.book = opening.number
        self.touched(opening.listener.live)

    def claimed(
        self, shared: Shared, found: Mapping[int, tuple[StreamListener, Mapping[int, Candidate]]]
    ) -> None:
        """Take over the doors of a relay that was killed, by number, with their ways."""
        self.shared = shared
        self._version = int(shared.cells[VERSION])
        for number, (listener, ways) in found.items():
            opening = Opening(number, listener)
            for way, candidate in ways.items():
                opening.known(way, candidate)
            self._enter(opening)

    def ways(self, number: int) -> Mapping[int, Candidate]:
        """Return the ways of a door, by number."""
        return self._open[number].ways if number in self._open else {}

    def reopen(self) -> None:
        """Open or shut each door of workers that were claimed, as its route is now."""
        for opening in tuple(self._open.values()):
            self.look(opening.listener)
            if opening.plain is None:
                self._shut(opening)

    def look(self, listener: StreamListener) -> None:
        """Open, change or shut the door of `listener`: where its clients go may have changed."""
        number = self._numbers.get(listener)
        if number is None:
            return
        opening = self._open[number]
        found = None
        if not self.are_kept and listener.is_open and any(one.is_ready for one in self.workers):
            found = plain(listener.live, listener.port, self._resolver, self._is_own)
        if found == opening.plain:
            return
        if found is None:
            self._shut(opening)
            return
        is_new = opening.plain is None
        opening.plain = found
        self._raise_version()
        message = self._message(opening, found)
        for worker in self.workers:
            if worker.is_ready:
                worker.show(message, listener.sock if is_new else None)
        listener.set_aside(True)

    def look_at_all(self) -> None:
        """Look at all doors: our own listen addresses, or those of endpoints, may have changed."""
        for listener in tuple(self._numbers):
            self.look(listener)

    def has_any(self, listeners: Iterable[object]) -> bool:
        """Tell whether workers accept at one of `listeners`, or have accepted there."""
        return any(one in self._numbers for one in listeners) and bool(self.workers)

    def shut(self, listener: StreamListener) -> None:
        """Shut the door of `listener`: the relay accepts there again."""
        number = self._numbers.get(listener)
        if number is not None and self._open[number].plain is not None:
            self._shut(self._open[number])

    def shut_all(self) -> None:
        """Shut all doors."""
        for listener in tuple(self._numbers):
            self.shut(listener)

    def greet(self, worker: Worker) -> None:
        """Tell a worker that is ready now of all doors that are open."""
        for opening in self._open.values():
            if opening.plain is not None:
                worker.show(self._message(opening, opening.plain), opening.listener.sock)

    async def settle(self) -> None:
        """Wait until every worker that is at work has confirmed all changes."""
        self._heard.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while any(one.is_ready and one.heard < self._version for one in self.workers):
                    await self._heard.wait()
                    self._heard.clear()

    def hear(self) -> None:
        """A worker has confirmed a change, or is gone."""
        self._heard.set()

    def progress(self, listener: StreamListener) -> int:
        """Return how many clients of `listener` all workers have accepted, ever."""
        number = self._numbers.get(listener)
        return self._begun(number) if number is not None else 0

    def turns(self, workers: Iterable[Worker]) -> int:
        """Return how many turns the pollers of `workers` have made, ever."""
        if self.shared is None:
            return 0
        return sum(self.shared.cells[worker.row * COLUMNS + TURN] for worker in workers)

    def opened(self, worker: Worker, item: Opened) -> tuple[Session, Mapping[int, Candidate]]:
        """Return the session that `worker` tells of, and the ways of its door."""
        opening = self._open[item.door]
        self.tally.begun(worker.row, opening.number, 1)
        return opening.listener.begun_elsewhere(item), opening.ways

    def ended(self, worker: Worker, number: int, item: Ended) -> None:
        """Note that the relay counts the end of a session, which `worker` has in book `number`."""
        carried = item.to_upstream, item.to_client
        self.tally.ended(worker.row, number, item.event, 1, carried)

    def summed(self, worker: Worker, item: Sum) -> None:
        """Count sessions that were over before the worker told of them."""
        opening, count = self._open[item.door], len(item.totals)
        self.tally.begun(worker.row, item.door, count)
        carried = item.to_upstream, item.to_client
        self.tally.ended(worker.row, item.door, item.event, count, carried)
        live = opening.listener.live
        self.touched(live)
        counters = live.counters
        counters.opened += count
        counters.to_upstream += item.to_upstream
        counters.to_client += item.to_client
        counters.closed[REASONS.get(item.event, Reason.CUT)] += count
        if (candidate := opening.ways.get(item.way)) and (known := candidate.evidence):
            known.opened += count
            known.to_upstream += item.to_upstream
            known.to_client += item.to_client
            if item.event is Event.UPSTREAM_RESET and not item.to_client:
                was_reset(live, candidate, time.monotonic(), count)
            elif item.to_client and live.resets.counts:
                lasted(live, candidate)
        if self._summed is not None:
            self._summed(live.route.name, item.connects, item.totals)

    def brought(
        self,
        worker: Worker,
        message: Bring,
        socks: Sequence[socket.SocketType],
        known: Session | None,
    ) -> None:
        """Serve a client that a worker has brought; `known`: its session, if it was told of."""
        opening = self._open[message.door]
        if known is None:
            self.tally.begun(worker.row, opening.number, 1)
        candidate = opening.ways.get(message.way)
        opening.listener.brought(message, candidate, socks, known)

    def gone(self, worker: Worker) -> int:
        """Count as cut the sessions that `worker` had not told of when it went; return how many."""
        if self.shared is None:
            return 0
        self.hear()
        lost = 0
        self.shared.cells[worker.row * COLUMNS + LOAD] = ABSENT
        for opening in self._open.values():
            missing = self.tally.missing(self.shared, worker.row, opening.number)
            if missing > 0:
                lost += missing
                opening.listener.lost(missing)
        self.tally.close(self.shared, worker.row)
        if not any(one.is_ready for one in self.workers if one is not worker):
            self.shut_all()
        else:  # the kernel may have told only this worker of clients that wait
            for opening in self._open.values():
                if opening.plain is not None:
                    opening.listener.look()
        return lost

    def _free(self) -> int | None:
        """Return a number for a new door: a free one, or that of a listener that is closed."""
        if len(self._open) < DOORS:
            return next(one for one in range(DOORS) if one not in self._open)
        for number, opening in self._open.items():
            listener = opening.listener
            if listener.sock.fileno() < 0 and not listener.sessions:
                del self._numbers[listener]
                return number
        return None

    def _begun(self, number: int) -> int:
        """Return how many clients of a door all workers have accepted, ever."""
        if self.shared is None:
            return 0
        cells, rows = self.shared.cells, range(1, self.shared.rows + 1)
        return sum(cells[book(row, number) + BEGUN] for row in rows)

    def _message(self, opening: Opening, found: Plain) -> Door:
        from ambassador.planes.relay.notes import door_note  # noqa: PLC0415 (workers are there)
        from ambassador.planes.relay.worker_messages import Door  # noqa: PLC0415 (the same)

        listener = opening.listener
        route = listener.live.route
        return Door(
            self._version,
            opening.number,
            found.turns,
            tuple(tuple(opening.way(one) for one in some) for some in found.places),
            found.random,
            found.alternatives,
            max(route.connect / 2, 0.2),  # see retry.attempt_limit
            route.keepalive,
            door_note(listener.live.serial, listener.port, led=route.led),
        )

    def _shut(self, opening: Opening) -> None:
        from ambassador.planes.relay.worker_messages import Shut  # noqa: PLC0415 (workers are there)

        opening.plain = None
        self._raise_version()
        message = Shut(self._version, opening.number)
        for worker in self.workers:
            worker.shut(message)
        opening.listener.set_aside(False)

    def _raise_version(self) -> None:
        """Have all workers read the message that follows before they accept again, anywhere."""
        self._version += 1
        if self.shared is not None:
            self.shared.cells[VERSION] = self._version
