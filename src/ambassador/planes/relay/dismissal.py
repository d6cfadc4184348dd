"""How workers that have next to nothing to do are let go, and how all come back for an upgrade."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
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

_FEW = 8  # sessions in that time that need no worker
_QUIET = 60  # turns of a worker in that time in which it has next to nothing to do
_ROUNDS = 3  # in which workers that are slow may say what they have
_RECALLED = 32  # sessions on their way back at once: none waits for all
_PATIENCE = 1.0  # seconds for a worker to give back what it was asked for


class Dismissal:
    """The part of Offload that does it."""

    idle = 30.0  # seconds workers without sessions stay
    outlive: Outlive | None
    _descriptors: Descriptors
    _doors: Doors
    _loop: asyncio.AbstractEventLoop
    _workers: list[Worker]
    _ended: list[Worker]
    _timer: asyncio.TimerHandle | None
    _dismissing: asyncio.Task[None] | None
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
        """Let all go when they have next to nothing to do."""
        self._timer = None
        self._ended = [worker for worker in self._ended if worker.process.poll() is None]
        ready = [worker for worker in self._workers if worker.is_ready]
        begun = sum(worker.begun for worker in ready)
        turns, open_there = self._doors.turns(ready), sum(map(len, ready))
        few = begun <= self._begun_before + _FEW
        quiet = turns <= self._turns_before + _QUIET * len(ready)
        self._begun_before, self._turns_before = begun, turns
        room = self._descriptors.available(2 * open_there)
        # Sessions that are there stay in one, should this process be killed.
        stays = max(ready, key=len, default=None) if self.outlive and open_there else None
        if few and quiet and room and self._dismissing is None and set(ready) - {stays}:
            self._dismissing = spawn(self.dismiss(stays), "dismiss workers")
            self._dismissing.add_done_callback(self._dismissed)
        if self._workers or self._ended:
            self._timer = self._loop.call_later(self.idle, self._look)

    def _dismissed(self, _task: asyncio.Task[None]) -> None:
        self._dismissing = None

    async def suspend(self) -> None:
        """Carry everything here, until `resume`."""
        self._is_suspended = True
        if self._dismissing is not None:
            await asyncio.wait({self._dismissing})
        for _ in range(_ROUNDS):
            if self._workers:
                await self.dismiss()

    def resume(self) -> None:
        """Have workers again where there is much to do."""
        self._is_suspended = self._doors.are_kept = False

    async def dismiss(self, stays: Worker | None = None) -> None:
        """Accept here again, and carry what they have; then let idle workers go. One may stay, and
        gets what the others had.
        """
        # A door that a client opened again meanwhile would bring sessions nobody hears of.
        self._doors.are_kept = True
        try:
            await self._dismiss(stays)
        finally:
            self._doors.are_kept = self._is_suspended
        if stays in self._workers:
            self._doors.open_first(self._listeners())

    async def _dismiss(self, stays: Worker | None) -> None:
        self._doors.shut_all()
        await self._doors.settle()
        going = [one for one in self._workers if one is not stays]
        sessions = [one for worker in going for one in worker.sessions]
        await asyncio.gather(*map(self._recall, going))
        if stays is not None:
            self._hand(one for one in sessions if isinstance(one, Session) and one.is_passable)
        told = await self.measure()
        # Who has not said everything has sessions, or sums of some, that nobody knows of.
        done = [one for one in going if one in told and one in self._workers and one.is_ready]
        for worker in [one for one in done if not len(one)]:
            self._workers.remove(worker)
            self._ended.append(worker)
            worker.close()
            self._doors.gone(worker)
        self._doors.workers = tuple(self._workers)
        self.keep()

    async def _recall(self, worker: Worker) -> None:
        """Have `worker` return what is connected, some at a time: what is on its way waits."""
        in_vain = 0  # the answer to what was asked before may have come first
        while len(worker) and in_vain < 2 and worker in self._workers:
            before = len(worker)
            try:
                async with asyncio.timeout(_PATIENCE):
                    await worker.recall(_RECALLED)
            except TimeoutError:  # it stands still
                return
            in_vain = in_vain + 1 if len(worker) >= before else 0
