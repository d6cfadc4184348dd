"""How workers that have next to nothing to do are let go, and how all sessions are taken back from
workers for an upgrade.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from ambassador.planes.relay.descriptors import Descriptors
from ambassador.planes.relay.doors import Doors
from ambassador.planes.relay.outlive import Outlive
from ambassador.planes.relay.session import Session
from ambassador.tasks import spawn

if TYPE_CHECKING:
    from ambassador.planes.relay.listener import StreamListener
    from ambassador.planes.relay.worker import Worker

__all__ = ["Dismissal"]

_FEW = 8  # sessions that begin in the time `idle`: so few need no worker
_QUIET = 60  # turns of a worker in the time `idle`: with so few it has next to nothing to do
_ROUNDS = 3  # tries to take all sessions back, as some workers may be slow
_RECALLED = 32  # sessions that come back at once, so that none waits for all others
_PATIENCE = 1.0  # seconds for a worker to return the sessions that it was asked for


class Dismissal:
    """The part of Offload for this."""

    idle = 30.0  # seconds between two looks whether workers have next to nothing to do
    outlive: Outlive | None
    _descriptors: Descriptors
    _doors: Doors
    _loop: asyncio.AbstractEventLoop
    _workers: list[Worker]
    _ended: list[Worker]
    _timer: asyncio.TimerHandle | None
    _dismissing: asyncio.Task[None] | None
    _going: Sequence[Worker]  # those that are being let go: they get no sessions
    _is_suspended: bool
    _begun_before: int
    _turns_before: int
    _listeners: Callable[[], Iterable[StreamListener]]

    async def measure(self) -> Collection[Worker]:
        """See Offload."""
        raise NotImplementedError

    def keep(self) -> None:
        """See Offload."""
        raise NotImplementedError

    def _hand(self, busy: Iterable[Session]) -> None:
        raise NotImplementedError

    def _look(self) -> None:
        """Let all workers go when they have next to nothing to do."""
        self._timer = None
        self._ended = [worker for worker in self._ended if worker.process.poll() is None]
        ready = [worker for worker in self._workers if worker.is_ready]
        begun = sum(worker.begun for worker in ready)
        turns, open_there = self._doors.turns(ready), sum(map(len, ready))
        few = begun <= self._begun_before + _FEW
        quiet = turns <= self._turns_before + _QUIET * len(ready)
        self._begun_before, self._turns_before = begun, turns
        room = self._descriptors.available(2 * open_there)
        # One worker keeps all open sessions, in case this process is killed.
        stays = max(ready, key=len, default=None) if self.outlive and open_there else None
        if few and quiet and room and self._dismissing is None and set(ready) - {stays}:
            self._dismissing = spawn(self.dismiss(stays), "dismiss workers")
            self._dismissing.add_done_callback(self._dismissed)
        if self._workers or self._ended:
            self._timer = self._loop.call_later(self.idle, self._look)

    def _dismissed(self, _task: asyncio.Task[None]) -> None:
        self._dismissing = None

    async def suspend(self) -> None:
        """Take all sessions back from workers, and carry them here until `resume`."""
        self._is_suspended = True
        if self._dismissing is not None:
            await asyncio.wait({self._dismissing})
        for _ in range(_ROUNDS):
            if self._workers:
                await self.dismiss()

    def resume(self) -> None:
        """Allow workers again."""
        self._is_suspended = self._doors.are_kept = False

    async def dismiss(self, stays: Worker | None = None) -> None:
        """Accept here again, and take back the sessions of workers; then let workers without
        sessions go. The worker `stays`, if given, is kept, and gets the sessions of the others.
        """
        # A door that a client opened meanwhile would begin sessions in a worker that is let go.
        self._doors.are_kept = True
        self._going = [one for one in self._workers if one is not stays]
        try:
            await self._dismiss()
        finally:
            self._going = []
            self._doors.are_kept = self._is_suspended
        if stays in self._workers:
            self._doors.open_first(self._listeners())

    async def _dismiss(self) -> None:
        self._doors.shut_all()
        await self._doors.settle()
        going = self._going
        await asyncio.gather(*map(self._recall, going))
        told = await self.measure()
        # A worker that has not told all its numbers may have sessions that are not known here.
        done = [one for one in going if one in told and one in self._workers and one.is_ready]
        for worker in [one for one in done if not len(one)]:
            self._workers.remove(worker)
            self._ended.append(worker)
            worker.close()
            self._doors.gone(worker)
        self._doors.workers = tuple(self._workers)
        self.keep()

    async def _recall(self, worker: Worker) -> None:
        """Have `worker` return its connected sessions, and hand them to a worker that stays, if
        any; some at a time: on the way they wait.
        """
        stays = len(self._going) < len(self._workers)
        in_vain = 0  # calls without a session; one may be: the answer to an earlier ping came first
        while len(worker) and in_vain < 2 and worker in self._workers:
            count, before = len(worker), worker.sessions if stays else ()
            try:
                async with asyncio.timeout(_PATIENCE):
                    await worker.recall(_RECALLED)
            except TimeoutError:  # the worker stands still
                return
            in_vain = in_vain + 1 if len(worker) >= count else 0
            if stays:
                there = set(worker.sessions)
                back = [one for one in before if one not in there]
                self._hand(one for one in back if isinstance(one, Session) and one.is_passable)
