"""What a probe says to an endpoint in clear, and hears, over TCP or a unix socket, by callbacks: no
task, no future and one registration a connection, since there may be thousands of them.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
from collections import deque
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

from ambassador.ports import Dialogue, Probe
from ambassador.probes.turns import Turns
from ambassador.spec import printable

__all__ = ["WORDS", "Conversations", "Header", "Place", "Question"]

# Where to connect: the family and what socket.connect takes.
Place = tuple[socket.AddressFamily, str | tuple[str, int]]

_MOST = 64 << 10  # bytes of an answer that are looked at
_PIECE = 4096
WORDS = 200  # characters of what an endpoint says that are repeated
_EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_FAILED = select.EPOLLERR | select.EPOLLHUP
_KIND = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
_AT_ONCE = 64  # events in a turn of the loop: 2 ms

# Why an endpoint does not work, in a few words; nothing where it does.
Answered = Callable[[str], None]
# What is said before all else, by a socket that is connected.
Header = Callable[[socket.SocketType], bytes]


class Question(NamedTuple):
    """What is asked: at `place`, called `host`, for `limit` seconds at most."""

    place: Place
    probe: Probe
    host: str
    limit: float
    header: Header | None = None


class Conversations:
    """One epoll set for all of them, in the running loop. `close` ends them; nobody is told."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._set = select.epoll()
        self._open: dict[int, _Conversation] = {}
        self.loop.add_reader(self._set.fileno(), self._hear)
        self.turns = Turns()
        # By how many seconds there are for an answer: until when, the first one first.
        self._limits: dict[float, deque[tuple[float, _Conversation]]] = {}

    def begin(self, question: Question, answered: Answered) -> None:
        """Ask; `answered` is told once, at once or within the time that there is. The connection is
        closed as a client that has read everything does it.
        """
        _Conversation(self, question, answered).begin()

    def close(self) -> None:
        """Break off what has not ended; nobody is told. A second time does nothing."""
        if self._set.closed:
            return
        self.loop.remove_reader(self._set.fileno())
        self.turns.close()
        for one in tuple(self._open.values()):
            one.forget()
        self._set.close()

    def enter(self, one: _Conversation) -> None:
        """Tell `one` of what its socket is ready for."""
        number = one.sock.fileno()
        self._open[number] = one
        self._set.register(number, _EDGES)

    def leave(self, one: _Conversation) -> None:
        """Tell it no longer; its socket is closed next, which takes it out of the set."""
        self._open.pop(one.sock.fileno(), None)

    def limit(self, one: _Conversation, seconds: float) -> None:
        """Tell `one` when so many are over. Of those with one limit a single one has a turn."""
        waiting = self._limits.setdefault(seconds, deque())
        waiting.append((self.loop.time() + seconds, one))
        if len(waiting) == 1:
            self.turns.add(waiting[0][0], partial(self._late, waiting))

    def _late(self, waiting: deque[tuple[float, _Conversation]]) -> None:
        now = self.loop.time()
        while waiting and (waiting[0][1].over or waiting[0][0] <= now):
            waiting.popleft()[1].late()
        if waiting:
            self.turns.add(waiting[0][0], partial(self._late, waiting))

    def _hear(self) -> None:
        for number, events in self._set.poll(0, _AT_ONCE):
            if one := self._open.get(number):
                one.ready(events)


class _Conversation:
    """One connection, from its beginning to an answer."""

    __slots__ = (
        "_all",
        "_answer",
        "_answered",
        "_connected",
        "_question",
        "_said",
        "_unsaid",
        "over",
        "sock",
    )

    def __init__(
        self, conversations: Conversations, question: Question, answered: Answered
    ) -> None:
        self._all, self._question, self._answered = conversations, question, answered
        self._answer = self._said = self._unsaid = b""
        self._connected = False
        self.sock = socket.SocketType(question.place[0], _KIND)
        self.over = False
        conversations.limit(self, question.limit)

    def begin(self) -> None:
        try:
            try:
                self.sock.connect(self._question.place[1])
            except BlockingIOError as error:
                if error.errno != errno.EINPROGRESS:  # a unix socket whose queue is full
                    raise
            else:  # as over loopback, where all that is needed happens within the call
                self._greet()
        except OSError as error:
            self._end(_spoken(error))
        if not self.over:
            self._all.enter(self)

    def ready(self, events: int) -> None:
        """Say and hear what is to be said and heard."""
        try:
            if not self._connected:
                if events & _FAILED and (
                    number := self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                ):
                    self._end(os.strerror(number).lower())
                    return
                if not events & select.EPOLLOUT:
                    return
                self._greet()
            elif self._unsaid and events & select.EPOLLOUT:
                self._say(b"")
            if events & ~select.EPOLLOUT:
                self._listen()
        except OSError as error:
            self._end(_spoken(error))

    def _greet(self) -> None:
        self._connected = True
        asked = self._question
        header = asked.header(self.sock) if asked.header else b""
        self._say(header + asked.probe.question(asked.host))
        self._judge()

    def forget(self) -> None:
        """Hang up, and tell nobody."""
        if not self.over:
            self.over = True
            self._all.leave(self)
            self.sock.close()

    def _listen(self) -> None:
        while not self.over:
            try:
                piece = self.sock.recv(_PIECE)
            except BlockingIOError:
                return
            self._answer += piece
            if not piece or len(self._answer) > _MOST:
                why = "ends before it has answered" if not piece else "answers without end"
                self._end(why)
            else:
                self._judge()

    def _judge(self) -> None:
        """End when the answer is whole; else reply, where there is something to reply."""
        why = self._question.probe.judge(self._answer)
        if why is not None:
            self._end(printable(why, WORDS) if why else "")
        elif _replies(type(self._question.probe)):
            replies = self._question.probe.reply(self._answer)  # type: ignore[attr-defined]
            more, self._said = replies[len(self._said) :], replies
            if more:
                self._say(more)

    def _say(self, data: bytes) -> None:
        self._unsaid += data
        if self._unsaid:
            try:
                self._unsaid = self._unsaid[self.sock.send(self._unsaid) :]
            except BlockingIOError:
                return

    def late(self) -> None:
        """There is no more time."""
        self._end(f"no answer within {self._question.limit:g} s")

    def _end(self, why: str) -> None:
        if not self.over:
            self.forget()
            self._answered(why)


@lru_cache
def _replies(kind: type) -> bool:
    return issubclass(kind, Dialogue)  # which takes as long as all the rest


def _spoken(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)
