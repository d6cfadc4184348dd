"""Workers: processes that accept, connect and carry beside the relay, to use all cores.

They are started as soon as there is much to do: until then, and where there is a single core, the
relay does the same by itself. Workers accept at a listener from its next client on (`doors.py`).
Sessions that the relay has begun are handed to the worker with the fewest sessions, once they are
busy and no longer young: to hand over a session costs as much as a few requests. A sample of turns
of the poller shows which sessions are busy. Workers that have had nothing to do for a while end.

Where workers may outlive the relay (`Outlive`), a quiet session is handed over, too, if it lasts,
and one worker stays as long as there are sessions: so a crash of this process ends none of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import resource
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.core.offload import least_loaded, wanted
from ambassador.core.session import State
from ambassador.planes.relay.descriptors import Descriptors
from ambassador.planes.relay.dismissal import Dismissal
from ambassador.planes.relay.doors import Doors
from ambassador.planes.relay.keeping import Keeping
from ambassador.planes.relay.ledger import Ledger
from ambassador.planes.relay.listener import StreamListener
from ambassador.planes.relay.outlive import Outlive
from ambassador.planes.relay.plain import speaks_tls
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.session import Session
from ambassador.planes.relay.shared import Shared
from ambassador.planes.relay.side import Side

if TYPE_CHECKING:
    from ambassador.planes.relay.worker import Worker

__all__ = ["Offload"]

_PAUSE = 64  # turns between two samples
_SAMPLE = 32  # turns of a sample
_BUSY = 0.125  # seconds: when the turns of a pause took longer, there is not much to do
_GROWN = 0.05  # seconds: younger sessions may be over in a moment
_AGAIN = 10.0  # seconds after a worker died before another is started
_PATIENCE = 1.0  # seconds for workers to tell their numbers, or the ends of sessions that were cut
_TICK = 0.02  # seconds between two looks whether something has ended
_LATE = 10.0  # seconds for a worker process to be ready
_APART = 0.005  # seconds between two that are started, and between two imports before
_RESERVE = 32  # descriptors of a worker that are not for sessions
# What starting a worker needs. It is imported once there is a client: an idle process does without.
# And it is imported here: worker processes share the memory of it (see `forking`).
_MODULES = (
    *("worker_messages", "notes", "worker_protocol", "doorway", "reports", "worker_loop"),
    *("orphan", "worker_main", "worker_process", "worker"),
)


class Offload(Dismissal):
    """Starts and ends at most `limit` workers, and hands sessions of `poller` to them; with `eager`
    every session, at once.
    """

    def __init__(
        self,
        poller: Poller,
        doors: Doors,
        descriptors: Descriptors,
        limit: int,
        *,
        eager: bool = False,
        ledger: Ledger | None = None,
        keeping: Keeping | None = None,
        listeners: Callable[[], Iterable[StreamListener]] = tuple,
    ) -> None:
        self.outlive: Outlive | None = None
        self._ledger = ledger
        self._keeping = keeping
        self._listeners = listeners
        self._frozen_rows: set[int] = set()  # of workers that did not answer when claimed
        self._poller = poller
        self._descriptors = descriptors
        self._turns_before = 0
        self._dismissing: asyncio.Task[None] | None = None
        self._doors = doors
        self._shared: Shared | None = None
        self._limit = limit
        self._pause, self._sample = (1, 1) if eager else (_PAUSE, _SAMPLE)
        self._grown, self._busy = (0.0, float("inf")) if eager else (_GROWN, _BUSY)
        self._loop = asyncio.get_running_loop()
        self._workers: list[Worker] = []
        self._ended: list[Worker] = []
        self._going = ()
        self._timer: asyncio.TimerHandle | None = None
        self._others: asyncio.TimerHandle | None = None  # starts the next worker
        self._not_before = 0.0
        self._is_suspended = False
        self._quiet: list[Session] = []  # lasting sessions that wait for a worker to be ready
        self._begun_before = 0
        self._began = time.monotonic()
        self._room = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _RESERVE) // 2
        if limit:
            poller.lap_in(1, self._begin)

    @property
    def workers(self) -> Collection[Worker]:
        """The workers that run."""
        return tuple(self._workers)

    @property
    def held(self) -> int:
        """Bytes that sessions hold unsent, those of workers as of the last `measure`."""
        return self._poller.memory.held + sum(worker.held for worker in self._workers)

    def start(self, count: int) -> None:
        """Start `count` workers, one after the other: all sessions wait for 3 ms with each."""
        if count < 1 or self._is_suspended or len(self._workers) >= self._limit:
            return
        from ambassador.planes.relay.worker import Worker  # noqa: PLC0415 (see _MODULES)

        try:
            if self._shared is None:
                self._shared = self._doors.shared = Shared(2 * self._limit)
                if self._ledger is not None and self.outlive is not None:
                    self._doors.number_first(self._listeners())
                    self._ledger.begin(self._shared)
            taken = {one.row for one in (*self._workers, *self._ended)} | self._frozen_rows
            row = next((one for one in range(1, self._shared.rows + 1) if one not in taken), 0)
            if not row:  # all rows are those of processes that have not ended
                return
            worker = Worker(self._poller, self, self._doors, row, outlive=self.outlive)
            self._workers.append(worker)
            self._doors.workers = tuple(self._workers)
        except OSError as error:
            self._not_before = time.monotonic() + _AGAIN
            log.event(
                log.WARNING,
                "worker_not_started",
                f"cannot start a process to carry sessions ({error}); they stay in this one",
                reason=str(error),
            )
        else:
            if count > 1:
                self._others = self._loop.call_later(_APART, self.start, count - 1)

    def ready(self, worker: Worker) -> None:
        """Tell `worker`, which is ready now, of the doors, and hand it sessions that wait."""
        self._doors.greet(worker)
        self.keep()
        if self.outlive is not None:
            self._doors.open_first(self._listeners())
        quiet, self._quiet = self._quiet, []
        self._hand(one for one in quiet if one.is_passable)
        if self._poller.seen is None and all(one.is_ready for one in self._workers):
            self._poller.lap_in(1, self._begin_sample)  # busy sessions need not wait for the pause
        if self._timer is None:
            self._timer = self._loop.call_later(self.idle, self._look)

    def more(self) -> None:
        """Start more workers if there is enough to do for them; see worker.Worker."""
        running = len(self._workers)
        if running < self._limit and time.monotonic() >= self._not_before:
            self.start(wanted(self._limit, running, 0, sum(map(len, self._workers))))

    def keep(self) -> None:
        """Have a worker keep copies of the listening sockets, as they are now; see Keeping."""
        if self._keeping is not None and self.outlive is not None:
            self._keeping.look(self._workers)

    def claimed(self, shared: Shared, workers: Sequence[Worker], frozen: set[int]) -> None:
        """Go on with workers of a relay that was killed; workers of `frozen` rows do not answer."""
        self._shared = shared
        self._frozen_rows = frozen
        self._workers += workers
        self._doors.workers = tuple(self._workers)
        if self._ledger is not None:
            self._doors.number_first(self._listeners())
            self._ledger.begin(shared)
        if workers and self._timer is None:
            self._timer = self._loop.call_later(self.idle, self._look)

    def lasting(self, sides: Iterable[Side]) -> None:
        """Have a worker carry the sessions of `sides`, which are no longer young, even if quiet."""
        if not self._limit or self.outlive is None or self._is_suspended:
            return
        pairs = dict.fromkeys(side.pair for side in sides if not side.closed)
        sessions = [one for one in pairs if isinstance(one, Session) and one.is_passable]
        if not sessions or time.monotonic() < self._not_before:
            return
        if not self._workers:
            self.start(1)
        if any(one.is_ready for one in self._workers):
            self._hand(sessions)
        else:
            self._quiet += sessions

    async def measure(self) -> Collection[Worker]:
        """Bring the numbers of all sessions up to date; return the workers that have told all of
        their numbers.
        """
        now = time.monotonic()
        asked = [one for one in self.workers if not one.stands_still(now)]
        with contextlib.suppress(TimeoutError):  # some numbers stay old then
            async with asyncio.timeout(_PATIENCE):
                await asyncio.gather(*(one.measure() for one in asked))
        return [one for one in asked if not one.owes_numbers]

    async def settle(self, sessions: Collection[Session]) -> None:
        """Wait until each of `sessions`, which have been cut, has ended; end it by force where its
        worker stands still.
        """
        left = {one for one in sessions if one.state is not State.CLOSED}
        deadline = time.monotonic() + _PATIENCE
        while left and time.monotonic() < deadline:
            await asyncio.sleep(_TICK)
            left = {one for one in left if one.state is not State.CLOSED}
        for worker in self.workers if left else ():
            worker.force(left)
        deadline = time.monotonic() + _PATIENCE
        while left and time.monotonic() < deadline:
            await asyncio.sleep(_TICK)
            left = {one for one in left if one.state is not State.CLOSED}
            if not any(one.is_handed for one in left):
                return

    def close(self) -> None:
        """Let all workers end."""
        if self._dismissing is not None:
            self._dismissing.cancel()
        for timer in (self._timer, self._others):
            if timer is not None:
                timer.cancel()
        self._poller.lap_in(0, lambda: None)
        deadline = time.monotonic() + _PATIENCE
        for worker in self.workers:
            worker.settle(deadline)
        for worker in self._workers:
            worker.close()
        for worker in (*self._workers, *self._ended):
            worker.wait()
        self._workers.clear()
        self._ended.clear()
        self._doors.workers, self._doors.shared = (), None
        if self._ledger is not None:
            self._ledger.end()
        if self._shared is not None:
            self._shared.close()

    def _begin(self) -> None:
        """There is a first client: get ready to start workers, and look whether to."""
        self._prepare(iter(_MODULES))
        self._pause_from(time.monotonic())

    def _prepare(self, modules: Iterator[str]) -> None:
        """Import `modules`, one every few milliseconds: 2 ms at most, and 7 all together."""
        for name in modules:
            importlib.import_module(f"ambassador.planes.relay.{name}")
            self._loop.call_later(_APART, self._prepare, modules)
            return

    def _begin_sample(self) -> None:
        now = time.monotonic()
        if now - self._began > self._busy:
            self._pause_from(now)
        else:
            self._poller.seen = set()
            self._poller.lap_in(self._sample, self._end_sample)

    def _pause_from(self, now: float) -> None:
        self._began = now
        self._poller.lap_in(self._pause, self._begin_sample)

    def _end_sample(self) -> None:
        seen, self._poller.seen = self._poller.seen or set(), None
        self._pause_from(now := time.monotonic())
        sides = [side for side in map(self._poller.who, seen) if isinstance(side, Side)]
        found = dict.fromkeys(side.pair for side in sides if isinstance(side.pair, Session))
        sessions = [one for one in found if not speaks_tls(one.live.route)]
        busy = [session for session in sessions if session.grown_to(now) >= self._grown]
        if now < self._not_before or self._is_suspended:
            return
        carried = sum(map(len, self._workers))
        self.start(wanted(self._limit, len(self._workers), len(sessions), carried))
        if not busy:
            return
        late = [worker for worker in self._workers if not worker.is_ready]
        if not late:
            self._hand(busy)
        for worker in late:
            if now > worker.began + _LATE:
                worker.process.kill()  # its channel ends, as of any process that is gone

    def _hand(self, busy: Iterable[Session]) -> None:
        now = time.monotonic()
        staying = [one for one in self._workers if one not in self._going]
        able = [one for one in staying if one.is_ready and not one.stands_still(now)]
        loads = [len(worker) for worker in able]
        shares: list[list[Session]] = [[] for _ in able]
        for session in busy:
            place = least_loaded(loads, self._room)
            if place is None:
                break
            loads[place] += 1
            shares[place].append(session)
        for worker, share in zip(able, shares, strict=True):
            if share:  # after an answer: a worker that has just begun to stand still gets nothing
                worker.when_it_answers(partial(_give, worker, share))

    def gone(self, worker: Worker) -> None:
        """Go on without `worker`, whose process is gone; see worker.Worker."""
        self._workers.remove(worker)
        self._ended.append(worker)
        self._doors.workers = tuple(self._workers)
        self._not_before = time.monotonic() + _AGAIN
        self._doors.gone(worker)
        self._tell_death(worker)

    def _tell_death(self, worker: Worker) -> None:
        """Log how `worker` ended, as soon as that is known: a process takes a while to end."""
        code = worker.process.poll()
        if code is None:
            self._loop.call_later(_TICK, self._tell_death, worker)
            return
        if worker in self._ended:
            self._ended.remove(worker)
        log.event(
            log.ERROR,
            "worker_died",
            f"process {worker.process.pid}, which carried sessions, has ended ({code}); its "
            "sessions with it",
            pid=worker.process.pid,
            code=code,
        )


def _give(worker: Worker, sessions: Iterable[Session]) -> None:
    for session in sessions:
        session.hand(worker)
