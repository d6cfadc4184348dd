"""What a probe sends to an endpoint in clear, and receives, over TCP or a unix socket. It uses
callbacks: no task, no future and one registration for a connection, since there may be thousands of
them.
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

# Where to connect: the family and the argument of socket.connect.
Place = tuple[socket.AddressFamily, str | tuple[str, int]]

_MOST = 64 << 10  # bytes of an answer that are read
_PIECE = 4096
WORDS = 200  # characters of an endpoint's answer that are quoted
_EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_FAILED = select.EPOLLERR | select.EPOLLHUP
_KIND = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
_AT_ONCE = 64  # events in a turn of the loop: 2 ms

# Called with why an endpoint does not work, in a few words; empty where it does.
Answered = Callable[[str], None]
# Returns the bytes to send before all others, for a socket that is connected.
Header = Callable[[socket.SocketType], bytes]


class Question(NamedTuple):
    """One question: to `place`, called `host`, for at most `limit` seconds."""

    place: Place
    probe: Probe
    host: str
    limit: float
    header: Header | None = None


class Conversations:
    """One epoll set for all of them, in the running loop. `close` ends them, without a report."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._set = select.epoll()
        self._open: dict[int, _Conversation] = {}
        self.loop.add_reader(self._set.fileno(), self._hear)
        self.turns = Turns()
        # By the time limit: the deadline of each conversation, the earliest first.
        self._limits: dict[float, deque[tuple[float, _Conversation]]] = {}

    def begin(self, question: Question, answered: Answered) -> None:
        """Ask; `answered` is called once, at once or within the limit. The connection is closed as
        a client closes it that has read everything.
        """
        _Conversation(self, question, answered).begin()

    def close(self) -> None:
        """Break off all conversations, without a report. A second call does nothing."""
        if self._set.closed:
            return
        self.loop.remove_reader(self._set.fileno())
        self.turns.close()
        for one in tuple(self._open.values()):
            one.forget()
        self._set.close()

    def enter(self, one: _Conversation) -> None:
        """Have `one` called when its socket is ready."""
        number = one.sock.fileno()
        self._open[number] = one
        self._set.register(number, _EDGES)

    def leave(self, one: _Conversation) -> None:
        """Call it no more; its socket is closed next, which removes it from the set."""
        self._open.pop(one.sock.fileno(), None)

    def limit(self, one: _Conversation, seconds: float) -> None:
        """Call `late` of `one` after so many seconds. All with the same limit share one timer."""
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
            else:  # as over loopback, where the connection is made within the call
                self._greet()
        except OSError as error:
            self._end(_spoken(error))
        if not self.over:
            self._all.enter(self)

    def ready(self, events: int) -> None:
        """Send and receive as far as possible."""
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
        """Close the connection, without a report."""
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
        """End when the answer is complete; else reply, where a reply is needed."""
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
        """The time is over."""
        self._end(f"no answer within {self._question.limit:g} s")

    def _end(self, why: str) -> None:
        if not self.over:
            self.forget()
            self._answered(why)


@lru_cache
def _replies(kind: type) -> bool:
    return issubclass(kind, Dialogue)  # a check that takes as long as all the rest


def _spoken(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)
