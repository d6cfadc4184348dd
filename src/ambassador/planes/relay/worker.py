"""One process that carries sessions, seen from here; `worker_main` is the other end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ambassador.planes.relay.channel import Attached, Channel
from ambassador.planes.relay.disconnect import disconnect, inode
from ambassador.planes.relay.doors import Doors
from ambassador.planes.relay.outlive import Outlive
from ambassador.planes.relay.outliving import Outliving
from ambassador.planes.relay.passing import received
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.shared import COLUMNS, LET_GO, NO_DOOR
from ambassador.planes.relay.worker_messages import (
    Adopt,
    Ask,
    Back,
    Bring,
    Cut,
    Door,
    Ended,
    Heard,
    Hello,
    Item,
    Joined,
    Message,
    News,
    Opened,
    Passed,
    Ping,
    Return,
    Shut,
    Sum,
    Told,
)
from ambassador.planes.relay.worker_process import WorkerProcess, start

if TYPE_CHECKING:
    from ambassador.planes.relay.offload import Offload
    from ambassador.planes.relay.shared_session import SharedSession

__all__ = ["Worker", "leave_out"]

_STILL = 0.5  # seconds without an answer: it gets no more sessions
_PIECE = 20  # sessions ended before other work of the loop has its turn: 1 ms
_PATIENCE = 2.0  # seconds for a process to end that has nothing left to do
_keys = itertools.count(2, 2)


def leave_out(key: int) -> None:
    """Call nothing so, or by a smaller number."""
    global _keys  # noqa: PLW0603 (a new one, once)
    _keys = itertools.count(max(next(_keys), key + 2 - key % 2), 2)


class Worker(Outliving):
    """Starts the process, unless it runs already as `found`, hands sessions to it and hears of
    them; `owner` is told of what it does. `row`: of what it shares with others, see Shared.
    """

    def __init__(
        self,
        poller: Poller,
        owner: Offload,
        doors: Doors,
        row: int,
        *,
        outlive: Outlive | None = None,
        found: WorkerProcess | None = None,
    ) -> None:
        assert doors.shared is not None
        self.is_ready = found is not None  # to carry
        self.row = row
        self.heard = 0  # of the doors
        self.begun = 0  # sessions it has begun, ever
        self._doors = doors
        self._owner = owner
        self._ways = {}  # of sessions not connected yet
        self.held = 0  # bytes its sessions hold unsent, when it was asked last
        self.began = time.monotonic()
        self._poller = poller
        self._sessions: dict[int, SharedSession] = {}
        # Of each session: the inodes of its sockets, and the book its end is counted in.
        self._about: dict[int, tuple[int, int, int]] = {}
        self._fresh: list[tuple[int, int]] = []  # it does not know what they are called
        self.asked: list[asyncio.Future[None]] = []  # who wait for its numbers
        self._answers: list[Callable[[], None]] = []
        self._pinged: float | None = None  # since when an answer is waited for
        if found is None:
            numbers = poller.limit, poller.memory.bound, int(doors.each)
            found = start(numbers, row, doors.shared, outlive)
        self._found = found
        self.process = found.process
        self._channel = Channel(found.sock)
        poller.add(found.sock.fileno(), self)

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def sessions(self) -> Collection[SharedSession]:
        """Those it carries."""
        return tuple(self._sessions.values())

    def hand(
        self,
        session: SharedSession,
        passed: Passed,
        attached: Sequence[Attached],
        book: int = NO_DOOR,
        note: str = "",
    ) -> int | None:
        """Hand over a session as it is `passed`, with what is `attached`; it counts its end in that
        book. Return what it is called there; None where that cannot be done now.
        """
        key = next(_keys)
        descriptors = [one.fileno() for one in attached]
        if not self._channel.attach(Adopt(key, passed, book, note), descriptors):
            return None
        self._sessions[key] = session
        numbers = [inode(one) for one in descriptors[:2]]
        self._about[key] = numbers[0], numbers[-1], book
        return key

    async def recall(self, most: int) -> None:
        """Have so many of its connected sessions returned; return when they are here."""
        self._send(Back(most))
        self.when_it_answers(partial(_set, back := asyncio.get_running_loop().create_future()))
        await back

    def when_it_answers(self, then: Callable[[], None]) -> None:
        """Call `then` as soon as it has answered that it is at work; a process that stands still
        never does.
        """
        self._answers.append(then)
        if self._pinged is None:
            self._pinged = time.monotonic()
            self._send(Ping())

    def stands_still(self, now: float) -> bool:
        """Tell whether it has been asked at `now`, by the monotonic clock, and does not answer."""
        return self._pinged is not None and now - self._pinged > _STILL

    def force(self, sessions: Collection[object]) -> None:
        """End the sessions of it that are in `sessions`, though it does not hear of it. Where
        that is not possible, a process without other sessions is killed: the kernel resets them.
        """
        mine = {key: one for key, one in self._sessions.items() if one in sessions}
        if not mine:
            return
        try:
            disconnect(self.process.pid, {one for key in mine for one in self._about[key][:2]})
        except OSError:
            if len(mine) == len(self._sessions):
                self.process.kill()  # that it is gone is heard as of any other
            return
        for key, session in mine.items():
            self._forget(key)
            session.ended(None, 0, 0)

    def show(self, door: Door, listener: socket.socket | None) -> None:
        """Tell it of a door; see doors.Doors."""
        with contextlib.suppress(OSError):  # it is gone, which an event tells
            if listener is not None:
                self._channel.send(door, (socket.SocketType(fileno=os.dup(listener.fileno())),))
            else:
                self._channel.send(door)

    def shut(self, message: Shut) -> None:
        """Tell it of a door that is shut; see doors.Doors."""
        self._send(message)

    def _forget(self, key: int) -> SharedSession | None:
        self._ways.pop(key, None)
        self._about.pop(key, None)
        return self._sessions.pop(key, None)

    def cut(self, key: int) -> None:
        """Reset both sides of a session; its end is told as any other."""
        self._send(Cut(key))

    async def measure(self) -> None:
        """Have the numbers of all sessions told. Returns when they are, or the worker is gone."""
        self.asked.append(told := asyncio.get_running_loop().create_future())
        self._pinged = self._pinged or time.monotonic()
        self._send(Ask())
        await told

    def settle(self, deadline: float) -> None:
        """Hear the end of sessions that were cut, until `deadline` by the monotonic clock; the loop
        waits meanwhile.
        """
        sock = self._channel.sock
        while self._sessions and (left := deadline - time.monotonic()) > 0:
            poll = select.poll()
            poll.register(sock, select.POLLIN | (self._channel.is_full and select.POLLOUT))
            poll.poll(left * 1000)
            self.ready(0)

    def close(self) -> None:
        """Let the process end, which it does with its last session. Sessions of which no end has
        been heard end here: nothing more is heard of them.
        """
        left, self._sessions = list(self._sessions.values()), {}
        if self._doors.shared is not None:
            self._doors.shared.cells[self.row * COLUMNS + LET_GO] = 1
        self._found.forget_place()
        self._poller.close_socket(self._channel.sock)
        self._channel.forget()
        self._release()
        for session in left:
            session.ended(None, 0, 0)

    def wait(self) -> int:
        """Return the exit code of the process, which has been closed or is gone."""
        try:
            return self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def ready(self, events: int) -> None:
        """Hear what it says; see poller.Ready."""
        if not self._channel.hear(self._hear):
            self._gone()

    def pump(self) -> None:
        """Hear the rest; see poller.Pausing."""
        if self._channel.sock.fileno() >= 0:
            self.ready(0)

    def broke(self) -> None:
        """Hear the rest, of which no edge tells again; see poller.Ready."""
        self._poller.go_on(self)

    def _hear(  # noqa: PLR0912 (one a message)
        self, message: object, descriptors: list[int]
    ) -> None:
        match message:
            case News(items):
                for item in items:
                    self._learn(item)
                if self._fresh:
                    self.tell_numbers()
            case Hello():
                self._pinged = None
                answers, self._answers = self._answers, []
                for then in answers:
                    then()
                if not self.is_ready:
                    self.is_ready = True
                    self._owner.ready(self)
            case Heard(version):
                self.heard = version
                self._doors.hear()
            case Bring():
                known = self._forget(message.key)
                socks = [socket.SocketType(fileno=one) for one in descriptors]
                self._doors.brought(self, message, socks, cast(Any, known))
            case Return(key, passed):
                found = received(passed, descriptors)
                if session := self._forget(key):
                    session.come_back(passed, found)
            case Told(more, held, numbers):
                self.held = held
                for key, to_upstream, to_client in numbers:
                    if session := self._sessions.get(key):
                        session.counted(to_upstream, to_client)
                if not more:
                    self._pinged = None
                    if self.asked:
                        _set(self.asked.pop(0))

    def _learn(self, item: Item) -> None:
        match item:
            case Opened():
                self.begun += 1
                self._owner.more()
                fresh, ways = self._doors.opened(self, item)
                self._sessions[item.key] = fresh
                self._about[item.key] = *item.inodes, item.door
                fresh.begun(self, item.key)
                self._fresh.append((item.key, fresh.number))
                if item.connected:
                    fresh.joined(ways[item.way], item.connected)
                else:
                    self._ways[item.key] = ways
            case Joined(key, way, connected, number):
                client, _, book = self._about[key]
                self._about[key] = client, number, book
                self._sessions[key].joined(self._ways.pop(key)[way], connected)
            case Ended(key, event, to_upstream, to_client):
                if about := self._about.get(key):
                    self._doors.ended(self, about[2], item)
                if session := self._forget(key):
                    session.ended(event, to_upstream, to_client)
            case Sum():
                self.begun += len(item.totals)
                self._owner.more()
                self._doors.summed(self, item)

    def _send(self, message: Message) -> None:
        with contextlib.suppress(OSError):  # it is gone, which an event tells
            self._channel.send(message)

    def _gone(self) -> None:
        self._poller.close_socket(self._channel.sock)
        self._channel.forget()
        self._release()
        self.is_ready = False
        self._end_piece()
        self._owner.gone(self)

    def _end_piece(self) -> None:
        """End its sessions, which are over, without keeping others waiting."""
        for key in list(self._sessions)[:_PIECE]:
            if session := self._forget(key):
                session.ended(None, 0, 0)
        if self._sessions:
            self._poller.later(0.0, self._end_piece)

    def _release(self) -> None:
        while self.asked:
            _set(self.asked.pop())


def _set(told: asyncio.Future[None]) -> None:
    if not told.done():  # else the task that waited was cancelled
        told.set_result(None)
