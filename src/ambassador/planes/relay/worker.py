"""One worker process, as the relay has it; the program of that process is `worker_main`."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import select
import socket
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, cast

from ambassador.planes.relay.channel import Attached, Channel
from ambassador.planes.relay.disconnect import disconnect, inode
from ambassador.planes.relay.doors import Doors
from ambassador.planes.relay.outlive import Outlive
from ambassador.planes.relay.outliving import Outliving
from ambassador.planes.relay.passing import received
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.questions import Questions, Then
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

_STILL = 0.5  # seconds without an answer, after which a process gets no more sessions
_PIECE = 20  # sessions that are ended in one turn of the event loop: 1 ms
_PATIENCE = 2.0  # seconds that a process without work has to end, before it is killed
_keys = itertools.count(2, 2)


def leave_out(key: int) -> None:
    """Give no session the key `key` or a smaller one: an earlier relay has used these."""
    global _keys  # noqa: PLW0603 (a new one, once)
    _keys = itertools.count(max(next(_keys), key + 2 - key % 2), 2)


class Worker(Outliving):
    """Starts the worker process, unless it runs already as `found`; hands sessions to it and reads
    what it tells of them. `owner` is told what the process does; `row` is its row in Shared.
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
        self.is_ready = found is not None  # to carry sessions
        self.row = row
        self.heard = 0  # the version of the doors that the process has confirmed
        self.begun = 0  # sessions that the process has accepted, ever
        self._doors = doors
        self._owner = owner
        self._ways = {}  # of sessions not connected yet, by key
        self.held = 0  # bytes its sessions held unsent, as of its last answer to Ask
        self.began = time.monotonic()
        self._poller = poller
        self._sessions: dict[int, SharedSession] = {}
        # Of each session: the inodes of its sockets, and the book (see Shared) that counts its end.
        self._about: dict[int, tuple[int, int, int]] = {}
        self._fresh: list[tuple[int, int]] = []  # keys with numbers that it does not know yet
        self._questions = Questions()
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
        """The sessions it carries."""
        return tuple(self._sessions.values())

    def hand(
        self,
        session: SharedSession,
        passed: Passed,
        attached: Sequence[Attached],
        book: int = NO_DOOR,
        note: str = "",
    ) -> int | None:
        """Hand over a session in the state `passed`, with the sockets and the file `attached`; the
        process counts its end in `book`. Return its key; None where this cannot be done now.
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
        """Have at most `most` of its connected sessions returned; wait until they are here."""
        self._send(Back(most))
        self._ask(Ping(), back := asyncio.get_running_loop().create_future())
        await back

    def when_it_answers(self, then: Callable[[], None]) -> None:
        """Call `then` when the process has answered a ping; one that stands still never does."""
        self._ask(Ping(), then)

    def stands_still(self, now: float) -> bool:
        """Tell whether, at `now` by the monotonic clock, an answer of it is overdue."""
        return self._questions.wait(now) > _STILL

    @property
    def owes_numbers(self) -> bool:
        """Whether a call of `measure` has not been answered."""
        return self._questions.owe_numbers

    def _ask(self, message: Ping | Ask, then: Then) -> None:
        self._questions.add(time.monotonic(), then, numbers=isinstance(message, Ask))
        self._send(message)

    def force(self, sessions: Collection[object]) -> None:
        """End those of its sessions that are in `sessions`, though the process does not answer. If
        that is not possible, it is killed where it has no others: the kernel resets them then.
        """
        mine = {key: one for key, one in self._sessions.items() if one in sessions}
        if not mine:
            return
        try:
            disconnect(self.process.pid, {one for key in mine for one in self._about[key][:2]})
        except OSError:
            if len(mine) == len(self._sessions):
                self.process.kill()  # its channel ends, as of any process that is gone
            return
        for key, session in mine.items():
            self._forget(key)
            session.ended(None, 0, 0)

    def show(self, door: Door, listener: socket.socket | None) -> None:
        """Tell it of a door, and send the `listener` it does not have yet; see doors.Doors."""
        with contextlib.suppress(OSError):  # the process is gone: the poller reports it
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
        """Have both sides of a session reset; the process tells of its end as of any other."""
        self._send(Cut(key))

    async def measure(self) -> None:
        """Ask for the numbers of all sessions; wait until they are here or the process is gone."""
        self._ask(Ask(), told := asyncio.get_running_loop().create_future())
        await told

    def settle(self, deadline: float) -> None:
        """Read the ends of sessions that were cut, until `deadline` by the monotonic clock. This
        blocks the event loop.
        """
        sock = self._channel.sock
        while self._sessions and (left := deadline - time.monotonic()) > 0:
            poll = select.poll()
            poll.register(sock, select.POLLIN | (self._channel.is_full and select.POLLOUT))
            poll.poll(left * 1000)
            self.ready(0)

    def close(self) -> None:
        """Let the process end with its last session. Sessions whose end it has not told end here:
        nothing more is read from it.
        """
        left, self._sessions = list(self._sessions.values()), {}
        if self._doors.shared is not None:
            self._doors.shared.cells[self.row * COLUMNS + LET_GO] = 1
        self._found.forget_place()
        self._poller.close_socket(self._channel.sock)
        self._channel.forget()
        self._questions.gone()
        for session in left:
            session.ended(None, 0, 0)

    def wait(self) -> int:
        """Return the exit code of the process, which is gone or was let go by `close`."""
        try:
            return self.process.wait(_PATIENCE)
        except TimeoutError:
            self.process.kill()
            return self.process.wait()

    def ready(self, events: int) -> None:
        """Read its messages; see poller.Ready."""
        if not self._channel.hear(self._hear):
            self._gone()

    def pump(self) -> None:
        """Read the rest of its messages; see poller.Pausing."""
        if self._channel.sock.fileno() >= 0:
            self.ready(0)

    def broke(self) -> None:
        """Read the rest later: no edge of epoll(7) reports it again; see poller.Ready."""
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
                if self.is_ready:
                    self._questions.answered()
                else:  # it has started
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
                    self._questions.answered()

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
        with contextlib.suppress(OSError):  # the process is gone: the poller reports it
            self._channel.send(message)

    def _gone(self) -> None:
        self._poller.close_socket(self._channel.sock)
        self._channel.forget()
        self._questions.gone()
        self.is_ready = False
        self._end_piece()
        self._owner.gone(self)

    def _end_piece(self) -> None:
        """End the sessions of a process that is gone, a few in each turn of the event loop."""
        for key in list(self._sessions)[:_PIECE]:
            if session := self._forget(key):
                session.ended(None, 0, 0)
        if self._sessions:
            self._poller.later(0.0, self._end_piece)
