"""Workers of a relay that was killed: find them, check whose they are, and read what they have.

Each waits at a socket beside the admin socket (`outlive.waiting_place`); `orphan` is the other end.
What they tell here is taken over later, when the routes are there; see `reclaimed`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ambassador import log
from ambassador.errors import in_words
from ambassador.planes.relay.channel import Channel
from ambassador.planes.relay.shared import ABSENT, COLUMNS, DOORS, EACH, FIXED, LOAD, Shared
from ambassador.planes.relay.tally import values
from ambassador.planes.relay.worker_messages import (
    Books,
    Box,
    Carries,
    Claim,
    Listens,
    Message,
    Orphaned,
    Whole,
)
from ambassador.planes.relay.worker_process import FoundProcess, WorkerProcess
from ambassador.planes.relay.worker_protocol import VERSION
from ambassador.sockets.inherited import LentSocket
from ambassador.sockets.unix import identity, peer

__all__ = ["Claimed", "Claims", "claim", "places"]

_SHORT = "file descriptors are short here"
_NOBODY = 0  # a version that no worker speaks
_PATIENCE = 1.0  # seconds for a worker to answer: at work, it does so within a millisecond


@dataclass(slots=True)
class Claimed:
    """One worker that was claimed, and what it has told."""

    found: WorkerProcess
    row: int
    listeners: list[tuple[Listens, LentSocket]] = field(default_factory=list)
    books: dict[int, tuple[int, ...]] = field(default_factory=dict)
    sessions: list[Carries] = field(default_factory=list)


@dataclass(slots=True)
class Claims:
    """All workers that were claimed. `routes`, `counted` and `wishes`: what the relay that was
    killed has left; see Ledger.
    """

    shared: Shared
    workers: list[Claimed]
    frozen: set[int]  # rows of workers that do not answer
    routes: list[list[Any]]
    counted: dict[str, dict[str, Any]]  # by serial
    wishes: bytes
    relay_books: dict[int, tuple[int, ...]]  # the book of that relay, by number

    @property
    def sockets(self) -> list[LentSocket]:
        """The listening sockets, each once: several workers have copies of the same socket."""
        found: dict[object, LentSocket] = {}
        for worker in self.workers:
            for _, sock in worker.listeners:
                if sock.fileno() >= 0 and found.setdefault(_name(sock), sock) is not sock:
                    sock.close()
        return list(found.values())

    def untold(self) -> dict[int, list[int]]:
        """Return what workers had counted in their books when they were claimed, and the relay that
        was killed in its own, less what is in `counted` of it; by number of the book.
        """
        told = {
            (int(row), int(number)): counts
            for entry in self.counted.values()
            for row, number, counts in entry.get("told", ())
        }
        said = {(one.row, number): it for one in self.workers for number, it in one.books.items()}
        rows = {one.row for one in self.workers}
        said |= {(0, number): it for number, it in self.relay_books.items()}
        for row in range(1, self.shared.rows + 1):
            if row not in rows:  # the book of a worker that is gone
                for number in {number for one, number in told if one == row}:
                    said[row, number] = tuple(values(self.shared, row, number))
        found: dict[int, list[int]] = {}
        for (row, number), now in said.items():
            before = told.get((row, number), [0] * EACH)
            sums = found.setdefault(number, [0] * EACH)
            for place in range(EACH):
                sums[place] += max(0, now[place] - int(before[place]))
        return found


def places(admin: Path) -> list[Path]:
    """Return the sockets at which workers may wait, beside the admin socket `admin`."""
    try:
        return sorted(admin.parent.glob(f"{admin.name}.worker*"))
    except OSError:
        return []


class Silent(NamedTuple):
    """A worker that does not answer; `pid` is 0 where it is not known."""

    row: int
    pid: int


def claim(admin: Path) -> tuple[Claims | None, list[int]]:
    """Claim the workers that wait beside `admin`. Return what they have, or None where no worker
    can be claimed, and the pids of workers that do not answer. This blocks: no client is served
    here yet.
    """
    workers: list[Claimed] = []
    shared: Shared | None = None
    silent: list[Silent] = []
    for path in places(admin):
        found = _claim(path, shared)
        if isinstance(found, Silent):
            silent.append(found)
        elif found:
            shared = found[1]
            workers.append(found[0])
    pids = [one.pid for one in silent if one.pid]
    if shared is None:
        return None, pids
    frozen = {one.row for one in silent if one.row}
    rows = {one.row for one in workers} | frozen
    for row in range(1, shared.rows + 1):
        if row not in rows:
            shared.cells[row * COLUMNS + LOAD] = ABSENT
    routes, counted = _read(shared)
    own = ((number, tuple(values(shared, 0, number))) for number in range(DOORS))
    books = {number: counts for number, counts in own if any(counts)}
    return Claims(shared, workers, frozen, routes, counted, shared.wishes.read(), books), pids


def _claim(path: Path, shared: Shared | None) -> tuple[Claimed, Shared] | Silent | None:
    """Return the worker that waits at `path`, and the memory that it shares with other workers
    (`shared`, where it is known already). None where no worker of ours waits there.
    """
    number = path.name.rpartition("worker")[2]
    row = int(number) if number.isdecimal() else 0
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    try:
        sock.connect(str(path))
        pid, user = peer(sock)[:2]
    except BlockingIOError:  # its backlog is full
        sock.close()
        return _silent(path, row, 0)
    except OSError:
        sock.close()
        with contextlib.suppress(OSError):  # no process listens there any longer
            path.unlink()
        return None
    if user not in (os.geteuid(), 0):
        sock.close()
        text = f"{path} belongs to user {user}; nothing is taken back from there"
        log.event(log.WARNING, "worker_not_ours", text, user=user)
        return None
    channel = Channel(sock)
    try:
        channel.send(Claim(VERSION))
        return _hear(channel, path, shared, time.monotonic() + _PATIENCE)
    except TimeoutError:
        sock.close()
        return _silent(path, row, pid)
    except (EOFError, OSError, ValueError) as error:
        sock.close()
        text = f"the process at {path} was not taken back: {in_words(error)}"
        log.event(log.WARNING, "worker_not_claimed", text, reason=in_words(error))
        _let_go(path)
        return None


def _let_go(path: Path) -> None:
    """Have the worker at `path` accept nothing any longer, by a claim of a version that it does not
    speak: else it would accept clients of our routes.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.settimeout(_PATIENCE)
    channel = Channel(sock)
    with sock, contextlib.suppress(OSError, EOFError, ValueError):
        sock.connect(str(path))
        channel.send(Claim(_NOBODY))
        _next(channel, time.monotonic() + _PATIENCE)


def _silent(path: Path, row: int, pid: int) -> Silent:
    who = f"process {pid}, which waits at {path}," if pid else f"the process at {path}"
    text = f"{who} does not answer; its sessions stay with it, and end with it"
    log.event(log.WARNING, "worker_not_claimed", text, reason="no answer", pid=pid)
    return Silent(row, pid)


def _hear(
    channel: Channel, path: Path, shared: Shared | None, deadline: float
) -> tuple[Claimed, Shared] | None:
    """Return what a worker answers to Claim. Raises TimeoutError, EOFError, OSError, ValueError."""
    message, descriptors = _next(channel, deadline)
    if not isinstance(message, Orphaned):
        raise ValueError(f"it said {message}")
    if message.version != VERSION:
        with contextlib.suppress(EOFError):  # the end of the channel: its listeners are closed
            _next(channel, deadline)
        channel.sock.close()
        text = (
            f"process {message.pid} speaks version {message.version} of the messages of workers, "
            f"and this one {VERSION}: its sessions stay with it until they end"
        )
        log.event(log.WARNING, "worker_not_claimed", text, pid=message.pid)
        return None
    process = FoundProcess(message.pid)
    shared = _memory(channel, message.rows, descriptors, shared, deadline)
    place = path, identity(path)
    claimed = Claimed(WorkerProcess(process, channel.sock, place), message.row)
    while True:
        said, found = _next(channel, deadline)
        match said:
            case Listens():
                if not found:
                    raise OSError(_SHORT)
                claimed.listeners.append((said, LentSocket(fileno=found[0])))
            case Books(number, counts):
                claimed.books[number] = counts
            case Carries():
                claimed.sessions.append(said)
            case Whole():
                return claimed, shared
            case _:
                raise ValueError(f"it said {said}")


def _memory(
    channel: Channel, rows: int, texts: list[int], shared: Shared | None, deadline: float
) -> Shared:
    """Return the memory that a worker shares with others. Raises what `_hear` does."""
    if len(texts) != FIXED:
        raise OSError(_SHORT)
    memory = list(texts)
    for _ in range(rows):
        box, ends = _next(channel, deadline)
        if not isinstance(box, Box) or len(ends) != 2:
            raise OSError(_SHORT)
        memory += ends
    if shared is None:
        return Shared(rows, tuple(memory))
    same = os.path.sameopenfile(memory[0], shared.descriptors[0])
    for one in memory:
        os.close(one)
    if not same:
        raise ValueError("it does not share memory with the other workers")
    return shared


def _next(channel: Channel, deadline: float) -> tuple[Message, list[int]]:
    """Return the next message, and leave the others in the socket."""
    poll = select.poll()
    poll.register(channel.sock, select.POLLIN)
    while True:
        for one in channel.receive():
            return one
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError


def _read(shared: Shared) -> tuple[list[list[Any]], dict[str, dict[str, Any]]]:
    """Return the routes and counters that the relay has left, if they can be understood."""
    try:
        routes = [list(one) for one in json.loads(shared.routes.read() or b"[]")]
        counted = dict(json.loads(shared.counted.read() or b"{}"))
        return routes, counted
    except (OSError, TypeError, ValueError) as error:
        text = f"what the ambassador that was killed has counted makes no sense: {in_words(error)}"
        log.event(log.WARNING, "earlier_not_understood", text)
        return [], {}


def _name(sock: socket.socket) -> object:
    return sock.family, sock.type, sock.getsockname()
