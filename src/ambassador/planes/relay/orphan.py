"""A worker process whose relay was killed is an orphan: it carries and accepts as before, and waits
for the next relay, which claims it.

A client that the worker would bring to the relay (see `WorkerLoop.bring`) is parked: it waits with
the orphan for the next relay. If no relay comes in time, the worker accepts nothing any longer,
resets the clients that are parked, and ends with its last session.

Where a route follows a primary, there is nobody to say which member is the primary now. So its
sessions are cut, since what they write may be lost, and new clients wait in the backlog.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import struct
from typing import TYPE_CHECKING

from ambassador.core.session import Event
from ambassador.planes.relay.channel import Channel
from ambassador.planes.relay.doorway import Carried
from ambassador.planes.relay.notes import door_note, of_carried, read_door
from ambassador.planes.relay.options import reset
from ambassador.planes.relay.poller import LEVEL, Ready
from ambassador.planes.relay.reports import inode_of
from ambassador.planes.relay.shared import BEGUN, BOOKS, EACH, FIXED
from ambassador.planes.relay.worker_messages import (
    Books,
    Box,
    Bring,
    Carries,
    Claim,
    Listens,
    Orphaned,
    Whole,
)
from ambassador.planes.relay.worker_protocol import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ambassador.planes.relay.worker_loop import WorkerLoop

__all__ = ["Orphan"]

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))


class Orphan(Ready):
    """Waits at `waiting`, for `patience` seconds, for a relay to claim the worker; `relay` are the
    credentials of the relay that was killed.
    """

    def __init__(
        self, loop: WorkerLoop, waiting: socket.socket, patience: float, relay: bytes
    ) -> None:
        self._loop = loop
        self._waiting = waiting
        self._file = _file(waiting)
        self._parked: list[tuple[Bring, Sequence[socket.SocketType]]] = []
        self._callers: set[_Caller] = set()
        self._leave_primaries()
        loop.reports.flush()  # no relay reads it: what it says is counted in the books, too
        if _is_succeeded(
            waiting, _CREDENTIALS.unpack(relay)[0]
        ):  # the next relay was started while this process stood still: it does not come again
            loop.poller.later(0.0, self._over)
        waiting.setblocking(False)
        loop.poller.add(waiting.fileno(), self, LEVEL)
        loop.poller.later(patience, self._over)

    def _leave_primaries(self) -> None:
        loop = self._loop
        for pair in tuple(loop.carried.values()):
            door = pair.doorway
            note = pair.note if isinstance(pair.note, str) else door and door.door.note
            if note and json.loads(note)[-1]:
                pair.happened(Event.CUT)
        for number, one in tuple(loop.doors.items()):
            if read_door(one.door.note).led:
                # Sockets that the relay has asked to keep have numbers from 1.
                loop.kept[-number - 1] = socket.socket(fileno=os.dup(one.sock.fileno()))
                del loop.doors[number]
                one.shut()

    def park(self, message: Bring, socks: Sequence[socket.SocketType]) -> None:
        """Keep a client, with its sockets, for the next relay."""
        self._parked.append((message, socks))

    def ready(self, events: int) -> None:
        """Accept a process that may claim the worker; see poller.Ready."""
        try:
            sock, _ = self._waiting.accept()
        except OSError:  # that process is gone again, or no descriptor is free
            return
        user = _CREDENTIALS.unpack(
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )[1]
        if user not in (os.geteuid(), 0):
            sock.close()
            return
        caller = _Caller(self, Channel(sock, self._loop.poller.close_socket))
        self._callers.add(caller)
        self._loop.poller.add(sock.fileno(), caller)

    def broke(self) -> None:
        """Nothing to do: the poller reports again what is not accepted; see poller.Ready."""

    def called(self, caller: _Caller, version: int) -> None:
        """Work for the relay that calls, if it speaks our version; else accept nothing any longer
        and end with the last session, so that the relay can have the listen addresses.
        """
        loop, channel = self._loop, caller.channel
        orphaned = Orphaned(VERSION, os.getpid(), loop.row.number, loop.shared.rows)
        if version != VERSION:
            with contextlib.suppress(OSError):  # the caller is gone again
                channel.send(orphaned)
            self._end(caller)
            loop.end_alone()
            self.leave(caller)  # last: the end of this channel says that all listeners are closed
            return
        loop.reports.flush()  # no relay reads it: all sessions are told of below
        memory = loop.shared.descriptors
        channel.send(orphaned, [_copy_of_file(one) for one in memory[:FIXED]])
        for place in range(FIXED, len(memory), 2):
            channel.send(Box(), [_copy(one) for one in memory[place : place + 2]])
        for number, door in loop.doors.items():
            note = read_door(door.door.note)
            ways = tuple(way for ways in door.door.places for way in ways)
            text = door_note(note.serial, note.port, ways)
            channel.send(Listens(number, text), (_copy(door.sock.fileno()),))
        for sock in loop.kept.values():
            channel.send(Listens(0, ""), (_copy(sock.fileno()),))
        for number, values in self._books():
            channel.send(Books(number, values))
        for pair in loop.carried.values():
            channel.send(_carries(pair))
        channel.send(Whole())
        for sock in loop.kept.values():  # that relay will ask again to keep what it needs
            sock.close()
        loop.kept.clear()
        parked, self._parked = self._parked, []
        for message, socks in parked:
            channel.send(message, socks)
        self._callers.discard(caller)
        self._end()
        loop.poller.remove(channel.sock.fileno())
        loop.claimed(channel)
        loop.poller.add(channel.sock.fileno(), loop)

    def leave(self, caller: _Caller) -> None:
        """Close the channel to a caller that has not claimed the worker."""
        self._callers.discard(caller)
        self._loop.poller.close_socket(caller.channel.sock)
        caller.channel.forget()

    def _books(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield each book; without the clients that are parked, which the relay counts itself when
        it gets them.
        """
        parked: dict[int, int] = {}
        for message, _ in self._parked:
            parked[message.door] = parked.get(message.door, 0) + 1
        cells = self._loop.shared.cells
        for number in range(BOOKS):
            place = self._loop.row.book(number)
            values = [int(one) for one in cells[place : place + EACH]]
            if any(values):
                values[BEGUN] -= parked.get(number, 0)
                yield number, tuple(values)

    def _over(self) -> None:
        """No relay has come in time: accept nothing any longer."""
        if self._loop.orphan is not self:
            return
        if self._file is not None and _file(self._waiting) == self._file:
            os.unlink(self._waiting.getsockname())  # noqa: PTH108 (pathlib is 5 ms)
        self._end()
        self._loop.end_alone()

    def _end(self, but: _Caller | None = None) -> None:
        """Wait no longer: close all callers `but` this, and reset the clients that are parked."""
        self._loop.poller.remove(self._waiting.fileno())
        for caller in tuple(self._callers):
            if caller is not but:
                self.leave(caller)
        for _, socks in self._parked:
            for sock in socks:
                reset(sock)
                sock.close()
        self._parked.clear()


class _Caller(Ready):
    """A process that has connected and may claim the worker."""

    def __init__(self, orphan: Orphan, channel: Channel) -> None:
        self.channel = channel
        self._orphan = orphan

    def ready(self, events: int) -> None:
        """Read its claim; see poller.Ready."""
        try:
            for message, descriptors in self.channel.receive():
                for one in descriptors:
                    os.close(one)
                if not isinstance(message, Claim):
                    self._orphan.leave(self)
                    return
                self._orphan.called(self, message.version)
                return
        except (EOFError, ValueError, OSError):
            self._orphan.leave(self)

    def broke(self) -> None:
        """See poller.Ready."""
        self._orphan.leave(self)


def _copy(descriptor: int) -> socket.SocketType:
    """Return a copy of a socket, to be sent."""
    return socket.SocketType(fileno=os.dup(descriptor))


def _copy_of_file(descriptor: int) -> io.FileIO:
    """Return a copy of an unnamed file, to be sent."""
    return io.FileIO(os.dup(descriptor), "r+")


def _is_succeeded(waiting: socket.socket, relay: int) -> bool:
    """Return whether a process other than `relay` answers at the admin socket beside which
    `waiting` was bound. The old relay itself may seem to answer for a moment: a program that it was
    starting when it was killed has a copy of its socket until exec(2).
    """
    admin = str(waiting.getsockname()).rpartition(".worker")[0]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(admin)
            said = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            return bool(_CREDENTIALS.unpack(said)[0] != relay)
        except OSError:
            return False


def _file(waiting: socket.socket) -> tuple[int, int] | None:
    """Return device and inode of the file at the path where `waiting` was bound."""
    try:
        status = os.lstat(waiting.getsockname())
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _carries(pair: Carried) -> Carries:
    """Return what the next relay needs to know of a session: where it leads, and its bytes."""
    upstream = pair.upstream
    inodes = inode_of(pair.client.sock), inode_of(upstream.sock) if upstream is not None else 0
    carried = pair.client.received, upstream.received if upstream is not None else 0
    if isinstance(pair.note, str):
        return Carries(pair.key, pair.number, 0, inodes, *carried, pair.note)
    door = pair.doorway
    assert door is not None
    note = of_carried(
        *(door.door.note, pair.note, pair.name_client()),
        started=pair.started,
        connected=pair.connected,
        way=pair.way,
    )
    way = pair.way.number if pair.connected else 0
    return Carries(pair.key, door.number, way, inodes, *carried, note)
