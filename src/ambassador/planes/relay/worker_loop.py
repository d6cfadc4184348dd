"""What a worker process does with its sessions, its doors and the messages of the relay; see
`worker_main`.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import time
from _random import Random
from typing import TYPE_CHECKING

from ambassador.core.session import Event, State
from ambassador.planes.relay.channel import Channel
from ambassador.planes.relay.doorway import Attempt, Carried, Doorway, first_port
from ambassador.planes.relay.options import reset
from ambassador.planes.relay.poller import LEVEL, Pausing, Poller, Ready
from ambassador.planes.relay.reports import Reports
from ambassador.planes.relay.row import NUDGE_BYTES, Row
from ambassador.planes.relay.shared import Shared
from ambassador.planes.relay.worker_messages import (
    Adopt,
    Ask,
    Back,
    Bring,
    Cut,
    Door,
    Drop,
    Heard,
    Hello,
    Keep,
    Message,
    Noted,
    Ping,
    Shut,
)
from ambassador.planes.relay.worker_passing import adopt, return_some
from ambassador.planes.relay.worker_protocol import told

if TYPE_CHECKING:  # only where the relay was killed
    from ambassador.planes.relay.orphan import Orphan

__all__ = ["MEANT_FOR_ALL", "WorkerLoop"]

MEANT_FOR_ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TICK = 0.05  # seconds between two looks at connections that are being made
_BESIDE = 0.25  # seconds after which a second address may be tried, too; see dial.BESIDE
_RESERVE = 32  # descriptors that are not for sessions


class WorkerLoop(Pausing):
    """Does what the relay says on `sock`, as the worker with this `row` of `shared`. Sessions that
    are over in a moment are told of in sums, or one by one with `each`. Where the relay is killed,
    the worker waits at `waiting` for the next one, for `outlive` seconds.
    """

    def __init__(
        self,
        sock: socket.socket,
        poller: Poller,
        shared: Shared,
        row: int,
        each: bool = True,
        *,
        waiting: socket.socket | None = None,
        outlive: float = 0.0,
    ) -> None:
        self.shared = shared
        room = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _RESERVE) // 2
        self.row = Row(shared, row, room)
        self.kept: dict[int, socket.socket] = {}  # listening sockets, for the next relay
        self.orphan: Orphan | None = None  # while the relay is gone and the next one may come
        self._waiting, self._outlive = waiting, outlive
        self.poller = poller
        self.carried: dict[int, Carried] = {}
        self.attempts: set[Attempt] = set()
        self.alone = False  # the relay is gone
        self.version = 0  # of the doors, as the relay has told it
        self.chance = Random().random
        self.ephemeral = first_port()
        self.reports = Reports(self.tell, poller.later, sums=not each)
        self.channel = Channel(sock, poller.close_socket)
        self.doors: dict[int, Doorway] = {}
        self._key = 1
        self._looking = False
        self._box = shared.boxes[row - 1][0]
        poller.add(self._box.fileno(), _Nudges(self, self._box), LEVEL)
        poller.add(sock.fileno(), self)
        self.channel.send(Hello())

    @property
    def is_behind(self) -> bool:
        """Whether the relay has changed doors in messages that are not read yet."""
        return self.version != self.row.version

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.alone and self.orphan is None and not self.carried

    def ready(self, events: int) -> None:
        """Read the messages of the relay; see poller.Ready."""
        if not self.alone and not self.channel.hear(self._hear):
            self._lose()

    def pump(self) -> None:
        """Read the rest of the messages; see poller.Pausing."""
        self.ready(0)

    def broke(self) -> None:
        """Read the rest later: no edge of epoll(7) reports it again; see poller.Ready."""
        self.poller.go_on(self)

    def nudged(self, number: int) -> None:
        """Accept at a door: another worker has left a client to this one."""
        if door := self.doors.get(number):
            door.look()

    def new_key(self) -> int:
        """Return a key that no other session of this worker has."""
        self._key += 2
        return self._key

    def begin(self, pair: Carried) -> None:
        """Count a session that has begun at a door."""
        self.row.begun(pair.book)
        self.carried[pair.key] = pair
        self.reports.begun(pair)
        if not self._looking:
            self._looking = True
            self.poller.later(_TICK, self._look)

    def joined(self, attempt: Attempt) -> None:
        """Note that `attempt` has succeeded."""
        self.attempts.discard(attempt)
        self.reports.joined(attempt.pair, attempt.sock)

    def bring(self, pair: Carried, error: int = 0) -> None:
        """Bring the client of `pair` to the relay: its connection to a way has failed with `error`,
        or is still being made. While there is no relay, the client is parked (see Orphan).
        """
        door, attempt = pair.doorway, pair.attempt
        if door is None or self.carried.pop(pair.key, None) is None:
            return
        under_way = not error and attempt is not None
        attached = [pair.client.sock]
        self.poller.remove(pair.client.sock.fileno())
        if under_way and attempt is not None:
            self.attempts.discard(attempt)
            self.poller.remove(attempt.sock.fileno())
            attached.append(attempt.sock)
        pair.attempt = None
        client = pair.name_client()
        known = pair.told
        pair.told = True  # so that the reports do not tell of it
        pair.state = State.HANDED
        self.row.load(-1)
        message = Bring(
            *(pair.key, known, door.number, pair.way.number, pair.started, error, under_way),
            client=client,
        )
        if self.orphan is not None:
            self.orphan.park(message, attached)
        elif self.alone:
            for sock in attached:
                reset(sock)
                sock.close()
        else:
            with contextlib.suppress(OSError):  # the relay is gone: the poller reports it
                self.channel.send(message, attached)
        pair.part()

    def ended(self, pair: Carried) -> None:
        """Count the end of `pair`."""
        upstream = pair.upstream
        down = upstream.received if upstream is not None else 0
        self.row.ended(pair.book, pair.event, pair.client.received, down)
        self.reports.ended(pair)
        pair.part()

    def _hear(  # noqa: PLR0912 (one a message)
        self, message: Message, descriptors: list[int]
    ) -> None:
        if isinstance(message, Adopt):
            adopt(self, message, descriptors)
        elif isinstance(message, Back):
            return_some(self, message.most)
        elif isinstance(message, Noted):
            for key, number in message.numbers:
                if pair := self.carried.get(key):
                    pair.note = number
        elif isinstance(message, Keep):
            for one in descriptors:  # there is none where no descriptor was free
                self.kept[message.number] = socket.socket(fileno=one)
        elif isinstance(message, Drop):
            if kept := self.kept.pop(message.number, None):
                kept.close()
        elif isinstance(message, Door):
            self.reports.flush()
            self._open(message, [socket.socket(fileno=one) for one in descriptors])
            self.tell(Heard(message.version))
        elif isinstance(message, Shut):
            self.reports.flush()  # Heard comes after the news of all sessions begun at the door
            if door := self.doors.pop(message.number, None):
                door.shut()
                self._bring_from(door)
            self.version = message.version
            self.tell(Heard(message.version))
        elif isinstance(message, Cut):
            if pair := self.carried.get(message.key):
                pair.happened(Event.CUT)
                self.reports.soon = True
        elif isinstance(message, Ping):
            self.tell(Hello())
        elif isinstance(message, Ask):
            self.reports.flush()
            numbers = (_numbers(pair) for pair in self.carried.values())
            for piece in told(numbers, self.poller.memory.held):
                self.tell(piece)

    def _open(self, message: Door, socks: list[socket.socket]) -> None:
        self.version = message.version
        door = self.doors.get(message.number)
        if door is not None:
            for sock in socks:
                sock.close()
            door.change(message)
            self._bring_from(door)
        elif socks:
            self.doors[message.number] = Doorway(self, message, socks[0])

    def _bring_from(self, door: Doorway) -> None:
        """Bring to the relay the clients of `door` that are being connected to a way which is no
        longer in use; all clients that are being connected, where the door is shut.
        """
        shut = door.number not in self.doors
        for attempt in tuple(self.attempts):
            pair = attempt.pair
            if pair.doorway is door and (shut or pair.way.number not in door.numbers):
                self.bring(pair)

    def _look(self) -> None:
        """Bring to the relay the clients whose connection to an endpoint takes too long."""
        now = time.monotonic()
        for attempt in tuple(self.attempts):
            pair = attempt.pair
            took = now - pair.started
            if pair.doorway is None:
                continue
            door = pair.doorway.door
            if took >= door.limit or (took >= _BESIDE and door.alternatives):
                self.bring(pair)
        self._looking = bool(self.attempts)
        if self._looking:
            self.poller.later(_TICK, self._look)

    def tell(self, message: Message) -> None:
        """Send `message` to the relay, if there is one."""
        if not self.alone:
            with contextlib.suppress(OSError):  # the relay is gone: the poller reports it
                self.channel.send(message)

    def _lose(self) -> None:
        self.alone = True
        said = self.channel.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.poller.close_socket(self.channel.sock)
        self.channel.forget()
        waiting = self._waiting
        if waiting is None or not self._outlive or self.row.is_let_go:
            self.end_alone()
        else:
            from ambassador.planes.relay.orphan import Orphan  # noqa: PLC0415 (see above)

            self.orphan = Orphan(self, waiting, self._outlive, said)
            if self.is_behind:
                self.row.withdraw()
        for number in MEANT_FOR_ALL:
            signal.signal(number, signal.SIG_DFL)

    def end_alone(self) -> None:
        """Accept nothing any longer, and end with the last session."""
        self.orphan = None
        self.row.withdraw()
        for door in self.doors.values():
            door.shut()
        self.doors.clear()
        for sock in self.kept.values():
            sock.close()
        self.kept.clear()

    def claimed(self, channel: Channel) -> None:
        """Work for the next relay, at the other end of `channel`."""
        for number in MEANT_FOR_ALL:
            signal.signal(number, signal.SIG_IGN)
        self.orphan, self.channel, self.alone = None, channel, False
        self.row.rejoin()


class _Nudges(Ready):
    """Reads the numbers of doors at which other workers have left a client; see poller.Ready."""

    def __init__(self, loop: WorkerLoop, box: socket.socket) -> None:
        self._loop = loop
        self._box = box

    def ready(self, events: int) -> None:
        try:
            said = self._box.recv(NUDGE_BYTES)
        except BlockingIOError:
            return
        self._loop.nudged(int.from_bytes(said, "little"))

    def broke(self) -> None:
        """Nothing to do: the poller reports again what is not read."""


def _numbers(pair: Carried) -> tuple[int, int, int]:
    upstream = pair.upstream
    return pair.key, pair.client.received, upstream.received if upstream else 0
