"""The process that takes over: it asks the running one for all it has, and says when that one may
let go.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambassador import __version__, log
from ambassador.core.wish import Wish
from ambassador.errors import AmbassadorError, NobodyError, RunError, in_words
from ambassador.handover.protocol import (
    PATIENCE,
    PROTOCOL,
    beside,
    may_hand_over,
    receive,
    send,
    text_of,
)
from ambassador.ports import HistoryStore, ListeningPlane, StateStore
from ambassador.sockets.inherited import LentSocket
from ambassador.sockets.unix import peer

if TYPE_CHECKING:
    from ambassador.core.history import History

__all__ = ["HandedHistory", "HandedStore", "Successor"]


class Successor:
    """A handover under way; `close` before `done` leaves everything to the predecessor."""

    def __init__(self, sock: socket.socket, admin: Path, sessions: int = 0) -> None:
        self.admin = admin
        self._sessions = sessions
        self._passes = False
        self.pid = peer(sock)[0]
        self.sockets: list[LentSocket] = []
        self.wishes = b""
        self.kept: list[LentSocket] = []  # sockets whose files belong to a third process: systemd
        # After `done`: the counters, and connections to processes before the predecessor.
        self.counters = b""
        self.earlier: list[socket.socket] = []
        self._said: tuple[dict[str, Any], list[int]] = {}, []
        self._sock = sock

    @classmethod
    async def ask(cls, admin: Path, sessions: int = 0) -> Successor:
        """Ask the ambassador of the admin socket `admin` for all it has; with open sessions where
        it writes them in the version `sessions` (0: without). Raises RunError.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        path = beside(admin)
        try:
            sock.connect(str(path))
        except OSError as error:
            sock.close()
            why = (error.strerror or str(error)).lower()
            raise NobodyError(
                f"no ambassador to take over from at {path}: {why}; "
                "without --upgrade a new one starts"
            ) from error
        user = peer(sock)[1]
        if not may_hand_over(user, os.geteuid()):
            sock.close()
            raise RunError(f"{path} belongs to user {user}; nothing is taken over from there")
        successor = cls(sock, admin, sessions)
        try:
            async with asyncio.timeout(PATIENCE):
                await successor._begin()
        except BaseException as error:
            successor.close()
            for one in successor.sockets:
                one.close()
            if isinstance(error, RunError) or not isinstance(error, Exception):
                raise
            why = "it took too long" if isinstance(error, TimeoutError) else in_words(error)
            raise RunError(f"the ambassador at {path} does not hand over: {why}") from error
        return successor

    async def ready(self, plane: ListeningPlane | None = None) -> None:
        """Say that everything is installed; after this all of it is about to be ours, and `plane`
        has the sessions. Raises RunError when the predecessor has given up, or when the sessions
        cannot be taken.
        """
        message, descriptors = await self._say("ready")
        while plane is not None and message.get("say") == "piece":
            plane.take(text_of(descriptors[:1]), descriptors[1:])
            message, descriptors = await self._say("more")
        if message:  # else the predecessor has died: all it had is ours
            _expect(message, "yours")
        state = text_of(descriptors)
        if plane is not None and self._passes and state:
            plane.settle(state)

    async def done(self) -> None:
        """Say that we serve; after this the predecessor has let go.

        Raises RunError when it has given up.
        """
        # Longer than the predecessor itself waits: while it may still give up, we must not.
        message, descriptors = await self._say("done", 3 * PATIENCE)
        if message:
            _expect(message, "bye")
        # All is ours from now on, whatever else it sends.
        self._said = message, descriptors

    async def counted(self) -> None:
        """Receive, after `done`, the counters, and the connections to earlier processes."""
        message, descriptors = self._said
        try:
            async with asyncio.timeout(PATIENCE):
                if self._passes and message:
                    message, descriptors = await receive(self._sock)
                self.counters = text_of(descriptors[:1])
                count = int(message.get("earlier", len(descriptors) - 1))
                self._take_earlier(descriptors[1:])
                while len(self.earlier) < count:
                    message, descriptors = await receive(self._sock)
                    self._take_earlier(descriptors)
                    if not message:
                        break
        except Exception as error:
            log.event(log.WARNING, "earlier_not_understood", in_words(error))

    def _take_earlier(self, descriptors: Sequence[int]) -> None:
        self.earlier += [socket.socket(fileno=descriptor) for descriptor in descriptors]

    def connection(self) -> socket.socket | None:
        """Return, after `done`, the connection on which the predecessor can be asked, to be closed
        by the caller; None where it has died.
        """
        connection = self._sock.dup() if self.counters else None
        self.close()
        return connection

    async def _say(self, say: str, patience: float = PATIENCE) -> tuple[dict[str, Any], list[int]]:
        """Send the message, and return the answer; empty where the predecessor has died."""
        try:
            async with asyncio.timeout(patience):
                with contextlib.suppress(OSError):  # it is gone, perhaps after a last message
                    await send(self._sock, say)
                return await receive(self._sock)
        except TimeoutError as error:
            raise RunError("the ambassador to take over from does not answer") from error

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    async def _begin(self) -> None:
        more: dict[str, Any] = {"sessions": self._sessions} if self._sessions else {}
        await send(self._sock, "hello", protocol=PROTOCOL, version=__version__, **more)
        message, descriptors = await receive(self._sock)
        self.wishes = text_of(descriptors)
        count = _expect(message, "welcome")["sockets"]
        self._passes = bool(message.get("sessions"))
        while len(self.sockets) < count:
            await send(self._sock, "more")
            message, descriptors = await receive(self._sock)
            found = [LentSocket(fileno=descriptor) for descriptor in descriptors]
            self.sockets += found
            flags = _expect(message, "sockets")["lent"]
            self.kept += [one for one, kept in zip(found, flags, strict=True) if kept]


class HandedStore:
    """Implements ports.StateStore: what was handed over counts as saved last.

    `read` makes wishes of the text; new wishes are saved in `store`, if there is one.
    """

    def __init__(
        self, text: str, read: Callable[[str], tuple[Wish, ...]], store: StateStore | None
    ) -> None:
        self._text = text
        self._read = read
        self._store = store

    def load(self) -> tuple[Wish, ...]:
        """Return the wishes of the predecessor; see ports.StateStore."""
        if self._store is not None:
            self._store.load()  # an error of this place is raised now
        return self._read(self._text)

    def save(self, wishes: Collection[Wish]) -> None:
        """Keep `wishes`; see ports.StateStore."""
        if self._store is not None:
            self._store.save(wishes)


class HandedHistory:
    """Implements ports.HistoryStore: what was handed over as `text` counts as saved last.

    `read` makes a history of it; new changes are saved in `store`, if there is one.
    """

    def __init__(
        self, text: str, read: Callable[[str], History], store: HistoryStore | None
    ) -> None:
        self._text = text
        self._read = read
        self._store = store

    def load(self) -> History:
        """Return the history of the predecessor; see ports.HistoryStore."""
        try:
            return self._read(self._text)
        except (AmbassadorError, ArithmeticError, LookupError, TypeError, ValueError):
            return () if self._store is None else self._store.load()  # it had no history

    def save(self, history: History) -> None:
        """Keep `history`; see ports.HistoryStore."""
        if self._store is not None:
            self._store.save(history)


def _expect(message: dict[str, Any], say: str) -> dict[str, Any]:
    if not message:
        raise RunError("the ambassador to take over from has ended")
    if message["say"] == "no":
        raise RunError(f"the running ambassador does not hand over: {message['why']}")
    if message["say"] != say:
        raise RunError(f"the running ambassador said {message['say']} instead of {say}")
    return message
