"""One process that carries sessions, seen from here; `worker_main` is the other end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from typing import Protocol

from ambassador.core.session import Event
from ambassador.planes.relay.disconnect import disconnect, inode
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.worker_protocol import (
    Adopt,
    Ask,
    Channel,
    Cut,
    Ended,
    Hello,
    Ping,
    Told,
)

__all__ = ["Handed", "Worker"]

_MODULE = "ambassador.planes.relay.worker_main"
_STILL = 0.5  # seconds without an answer: it gets no more sessions
_PIECE = 20  # sessions ended before other work of the loop has its turn: 1 ms
_PATIENCE = 2.0  # seconds for a process to end that has nothing left to do
_keys = itertools.count(1)


class Handed(Protocol):
    """A session whose two sockets a worker has."""

    def counted(self, to_upstream: int, to_client: int) -> None:
        """So many bytes have been carried by now, all in all."""

    def ended(self, event: Event | None, to_upstream: int, to_client: int) -> None:
        """It has ended, first by `event`; None where the worker itself has."""


class Worker:
    """Starts the process, hands sessions to it and hears of them. `gone` is called when it has
    ended though nobody asked it to.
    """

    def __init__(self, poller: Poller, gone: Callable[[Worker], None]) -> None:
        self.is_ready = False  # to carry
        self.held = 0  # bytes its sessions hold unsent, when it was asked last
        self.began = time.monotonic()
        self._poller = poller
        self._on_gone = gone
        self._sessions: dict[int, Handed] = {}
        self._inodes: dict[int, tuple[int, int]] = {}  # of the sockets of each session
        self._waiting: list[asyncio.Future[None]] = []
        self._answers: list[Callable[[], None]] = []
        self._pinged: float | None = None  # since when an answer is waited for
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel = Channel(ours)
        descriptor = theirs.fileno()
        try:
            # -P: what lies in the current folder is no module of ours.
            self.process = subprocess.Popen(  # noqa: S603 (our own program)
                [
                    *(sys.executable, "-P", "-m", _MODULE),
                    *(str(descriptor), str(poller.limit), str(poller.memory.bound)),
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=[descriptor],
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        poller.add(ours.fileno(), self)

    def __len__(self) -> int:
        return len(self._sessions)

    def hand(
        self, session: Handed, descriptors: tuple[int, int], to_upstream: int, to_client: int
    ) -> int | None:
        """Hand over a session: the descriptors of its client and its upstream, and the bytes
        carried so far. Return what it is called there; None where that cannot be done now.
        """
        key = next(_keys)
        if not self._channel.attach(Adopt(key, to_upstream, to_client), descriptors):
            return None
        self._sessions[key] = session
        self._inodes[key] = inode(descriptors[0]), inode(descriptors[1])
        return key

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
        """End those of its sessions that are in `sessions`, though it does not hear of it. Where
        that is not possible, a process without other sessions is killed: the kernel resets them.
        """
        mine = {key: one for key, one in self._sessions.items() if one in sessions}
        if not mine:
            return
        try:
            disconnect(self.process.pid, {one for key in mine for one in self._inodes[key]})
        except OSError:
            if len(mine) == len(self._sessions):
                self.process.kill()  # that it is gone is heard as of any other
            return
        for key, session in mine.items():
            self._forget(key)
            session.ended(None, 0, 0)

    def _forget(self, key: int) -> Handed | None:
        self._inodes.pop(key, None)
        return self._sessions.pop(key, None)

    def cut(self, key: int) -> None:
        """Reset both sides of a session; its end is told as any other."""
        self._send(Cut(key))

    async def measure(self) -> None:
        """Have the numbers of all sessions told. Returns when they are, or the worker is gone."""
        if not self._sessions:
            return
        told = asyncio.get_running_loop().create_future()
        self._waiting.append(told)
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
        self._poller.close_socket(self._channel.sock)
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
        try:
            with contextlib.suppress(OSError):  # it is gone, which is read next
                self._channel.flush()
            for message, _ in self._channel.receive():
                self._hear(message)
        except EOFError:
            self._gone()

    def pump(self) -> None:
        """Hear the rest; see poller.Pausing."""
        if self._channel.sock.fileno() >= 0:
            self.ready(0)

    def broke(self) -> None:
        """Hear the rest, of which no edge tells again; see poller.Ready."""
        self._poller.go_on(self)

    def _hear(self, message: object) -> None:
        match message:
            case Hello():
                self.is_ready = True
                self._pinged = None
                answers, self._answers = self._answers, []
                for then in answers:
                    then()
            case Ended(key, event, to_upstream, to_client):
                if session := self._forget(key):
                    session.ended(event, to_upstream, to_client)
            case Told(more, held, numbers):
                self.held = held
                for key, to_upstream, to_client in numbers:
                    if session := self._sessions.get(key):
                        session.counted(to_upstream, to_client)
                if not more and self._waiting:
                    _set(self._waiting.pop(0))

    def _send(self, message: Cut | Ask | Ping) -> None:
        with contextlib.suppress(OSError):  # it is gone, which an event tells
            self._channel.send(message)

    def _gone(self) -> None:
        self._poller.close_socket(self._channel.sock)
        self._release()
        self._end_piece()
        self._on_gone(self)

    def _end_piece(self) -> None:
        """End its sessions, which are over, without keeping others waiting."""
        for key in list(self._sessions)[:_PIECE]:
            if session := self._forget(key):
                session.ended(None, 0, 0)
        if self._sessions:
            self._poller.later(0.0, self._end_piece)

    def _release(self) -> None:
        for told in self._waiting:
            _set(told)
        self._waiting.clear()


def _set(told: asyncio.Future[None]) -> None:
    if not told.done():  # who waited may have lost patience
        told.set_result(None)
