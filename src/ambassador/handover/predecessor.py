"""The process that is replaced: it waits for a successor, gives it what it needs, and answers it
while the last sessions go on here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from ambassador import log
from ambassador.errors import AmbassadorError, RunError, in_words
from ambassador.garbage import none_collected
from ambassador.handover.counters import Counters, HandedCounters
from ambassador.handover.protocol import (
    MOST,
    PATIENCE,
    PROTOCOL,
    beside,
    may_hand_over,
    receive,
    receive_now,
    send,
    send_now,
    send_text,
    text_of,
)
from ambassador.handover.sessions import encode_sessions
from ambassador.model import Reason
from ambassador.ports import Holder, Plane
from ambassador.sockets.unix import PathSocket, listen, peer, remove, take_place
from ambassador.tasks import spawn

__all__ = ["Answers", "Predecessor"]

_COUNTING = 5.0  # seconds for counting everything
_ROUNDS = 4  # of copies, before the moment in which all else stops
# Longest time of that moment, in seconds: after that the successor has failed, and all goes on
# here. The moment takes 10 ms for 3,000 sessions.
_FROZEN = 2.0


class Predecessor:
    """Waits on a unix socket beside `admin`, mode 0600, for the same user or root."""

    def __init__(self, admin: Path, holder: Holder) -> None:
        self.path = beside(admin)
        self._holder = holder
        self._sock: PathSocket | None = None
        self._task: asyncio.Task[None] | None = None
        self._successor: socket.socket | None = None

    async def start(self) -> None:
        """Wait from now on. Where that is not possible it is logged, and there is no upgrade."""
        sock = None
        try:
            # It replaces the socket of our predecessor, or of a process that is dead; in a thread,
            # so that sessions go on while a disk is slow.
            kind = socket.SOCK_SEQPACKET
            sock = listen(self.path, 1, kind, private=True, replace=True, later=True)
            await asyncio.to_thread(take_place, sock)
        except OSError as error:
            if sock is not None:
                remove(sock)
                sock.close()
            log.event(
                log.WARNING,
                "no_upgrade",
                f"no other ambassador will be able to take over: {self.path}: {error}",
                reason=str(error),
            )
            return
        self._sock = sock
        self._task = spawn(self._wait(sock), "wait for a successor")

    def close(self) -> None:
        """Stop waiting."""
        if self._task is not None:
            self._task.cancel()
        if self._successor is not None:
            self._successor.close()
            self._successor = None
        if self._sock is not None:
            remove(self._sock)
            self._sock.close()
            self._sock = None

    async def _wait(self, sock: PathSocket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(sock)
            connection.setblocking(False)
            with connection:
                pid, user = peer(connection)
                if not may_hand_over(user, os.geteuid()):
                    log.event(
                        log.WARNING,
                        "upgrade_refused",
                        f"user {user} may not take over",
                        user=user,
                        pid=pid,
                    )
                elif await self._serve(connection, pid):
                    return

    async def _serve(self, sock: socket.socket, pid: int) -> bool:
        """Hand over to the process at the other end; tell whether it has taken over."""
        try:
            async with asyncio.timeout(PATIENCE):
                hello = await self._receive(sock, "hello")
                if hello.get("protocol") != PROTOCOL:
                    raise RunError(f"this ambassador speaks version {PROTOCOL} of the handover")
                passes = bool(hello.get("sessions") == self._holder.passing)
                sockets, wishes = await self._holder.lend(passes)
        except Exception as error:
            await self._refuse(sock, error)
            return False
        log.event(log.INFO, "upgrade_asked", f"process {pid} asks to take over", pid=pid)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._give(sock, sockets, wishes, passes)
                await self._receive(sock, "ready")
                if passes:
                    await self._copy(sock)
                    self._hand(sock)
                else:
                    self._holder.pause()
                    await send(sock, "yours")
                    await self._receive(sock, "done")
        except Exception as error:  # also for a bug: clients are waiting
            await self._refuse(sock, error)
            await self._take_back(sock, passes)
            why = _why(error)
            log.event(
                log.WARNING,
                "upgrade_failed",
                f"process {pid} did not take over: {why}; everything goes on as it was",
                pid=pid,
                reason=why,
            )
            return False
        except asyncio.CancelledError:
            await self._take_back(sock, passes)
            raise
        await self._holder.give_up(pid)
        if not passes:
            self._say_they_stay(hello)
        text, earlier = await self._counters()
        with contextlib.suppress(OSError):
            first, rest = earlier[: MOST - 1], earlier[MOST - 1 :]
            count, say = len(earlier), "counted" if passes else "bye"
            await send_text(sock, say, text, [one.fileno() for one in first], earlier=count)
            for start in range(0, len(rest), MOST):
                piece = [one.fileno() for one in rest[start : start + MOST]]
                await send(sock, "earlier", piece)
        for one in earlier:
            one.close()
        self._successor = sock.dup()
        return True

    def _say_they_stay(self, hello: dict[str, Any]) -> None:
        theirs, ours = hello.get("sessions"), self._holder.passing
        takes = "none" if theirs is None else f"those of version {theirs}"
        log.event(
            log.WARNING,
            "sessions_stay",
            f"ambassador {hello.get('version') or 'of another version'} can take over no open "
            f"sessions from this one, which has those of version {ours} (it takes {takes}): they "
            "stay here until they end",
            theirs=theirs,
            ours=ours,
        )

    async def _copy(self, sock: socket.socket) -> None:
        """Send copies of all sessions, which go on here."""
        await self._holder.gather()
        for _ in range(_ROUNDS):
            count = 0
            for one in self._holder.copies():
                count += 1
                sockets = [sock.fileno() for sock in one.sockets]
                await send_text(sock, "piece", one.text, sockets)
                await self._receive(sock, "more")
            if count < 2:
                break
        await self._holder.stop_accepting()

    def _hand(self, sock: socket.socket) -> None:
        """Send the rest. Nothing else is done here meanwhile, so it must be short; if it fails,
        nothing has changed.
        """
        deadline = time.monotonic() + _FROZEN
        with none_collected():
            pieces, state = self._holder.freeze()
            for one in pieces:
                sockets = [sock.fileno() for sock in one.sockets]
                send_now(sock, deadline, "piece", one.text, sockets)
                _expected(*receive_now(sock, deadline), "more")
            send_now(sock, deadline, "yours", state)
            _expected(*receive_now(sock, deadline), "done")
            send_now(sock, deadline, "bye")

    async def _take_back(self, sock: socket.socket, passes: bool) -> None:
        """Go on with everything here; the other process may have copies for as long as it lives."""
        await self._holder.take_back()
        if passes:
            gone = self._until_gone(sock.dup())
            spawn(gone, "end of a process that did not take over")

    async def _until_gone(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError, RunError):
            while (await receive(sock))[0]:
                pass
        self._holder.returned()

    async def _counters(self) -> tuple[bytes, Sequence[socket.socket]]:
        """Return the counters, and the connections to earlier processes. The routes are given up
        already: whatever fails, the successor must get an answer.
        """
        try:
            async with asyncio.timeout(_COUNTING):
                return await self._holder.counters()
        except Exception as error:
            log.event(
                log.ERROR, "counters_lost", f"the counters are not handed over: {in_words(error)}"
            )
            return HandedCounters().encode(), []

    async def connection(self) -> socket.socket | None:
        """Return the connection to the process that has taken over, to be closed by the caller;
        None when there is none.
        """
        if self._task is not None:
            await asyncio.wait({self._task})
        sock, self._successor = self._successor, None
        return sock

    @staticmethod
    async def _give(
        sock: socket.socket, sockets: Sequence[socket.socket], wishes: bytes, passes: bool
    ) -> None:
        count, pid = len(sockets), os.getpid()
        await send_text(sock, "welcome", wishes, sockets=count, pid=pid, sessions=passes)
        for first in range(0, len(sockets), MOST):
            await Predecessor._receive(sock, "more")
            piece = sockets[first : first + MOST]
            lent = [bool(getattr(one, "lent", False)) for one in piece]
            await send(sock, "sockets", [one.fileno() for one in piece], lent=lent)

    @staticmethod
    async def _receive(sock: socket.socket, expected: str) -> dict[str, Any]:
        return _expected(*await receive(sock), expected)

    @staticmethod
    async def _refuse(sock: socket.socket, error: BaseException) -> None:
        with contextlib.suppress(OSError):
            await send(sock, "no", why=_why(error))


def _expected(message: dict[str, Any], descriptors: list[int], say: str) -> dict[str, Any]:
    for descriptor in descriptors:
        os.close(descriptor)
    if not message:
        raise RunError("it ended")
    if message["say"] != say:
        raise RunError(f"it said {message['say']} instead of {say}")
    return message


def _why(error: BaseException) -> str:
    return "it took too long" if isinstance(error, TimeoutError) else in_words(error)


class Answers:
    """Answers on `sock` what the successor asks of `plane`; `counters` returns the counters."""

    def __init__(
        self, sock: socket.socket, plane: Plane, counters: Callable[[], Awaitable[Counters]]
    ) -> None:
        self._sock = sock
        self._plane = plane
        self._counters = counters

    async def run(self) -> None:
        """Answer until the connection ends, because one of the two processes has ended."""
        with contextlib.suppress(OSError, RunError):
            while (found := await receive(self._sock))[0]:
                await self._answer(*found)

    async def farewell(self) -> None:
        """Send the counters for the last time."""
        with contextlib.suppress(OSError):
            await send_text(self._sock, "farewell", await self._numbers())
        self._sock.close()

    async def _numbers(self) -> bytes:
        counters = HandedCounters(live=await self._counters())
        return await asyncio.to_thread(counters.encode)

    async def _answer(self, message: dict[str, Any], descriptors: list[int]) -> None:
        given = text_of(descriptors[:1])
        for descriptor in descriptors[1:]:
            os.close(descriptor)
        match message["say"]:
            case "numbers":
                text = await self._numbers()
            case "sessions":
                text = encode_sessions(await self._plane.sessions())
            case "cut":
                text = await self._cut(given, str(message.get("reason")))
            case _:
                text = b""  # a question of a later version, with no answer here
        await send_text(self._sock, "answer", text, n=message.get("n"))

    async def _cut(self, given: bytes, reason: str) -> bytes:
        try:
            ids = set(map(str, json.loads(given)))
            count = await self._plane.cut(ids, Reason(reason))
        except (AmbassadorError, TypeError, ValueError, RecursionError):
            count = 0
        return str(count).encode()
