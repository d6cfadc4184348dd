"""What a worker does: see `worker_main`."""

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
_BESIDE = 0.25  # seconds after which another may be tried beside one; see dial.BESIDE
_RESERVE = 32  # descriptors that are not for sessions


class WorkerLoop(Pausing):
    """Does what `sock` tells it to, as the worker of a `row` of what is `shared`. Sessions that are
    over in a moment are told of in sums, or `each` by itself. Where the relay is killed, it waits
    at `waiting` for another, for `outlive` seconds.
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
        self.kept: dict[int, socket.socket] = {}  # listening sockets of the relay
        self.orphan: Orphan | None = None  # as long as another relay may come
        self._waiting, self._outlive = waiting, outlive
        self.poller = poller
        self.carried: dict[int, Carried] = {}
        self.attempts: set[Attempt] = set()
        self.alone = False  # the relay is gone
        self.version = 0  # of the doors
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
        """Whether something about the doors has been said that was not heard yet."""
        return self.version != self.row.version

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.alone and self.orphan is None and not self.carried

    def ready(self, events: int) -> None:
        """Do what the relay asks for; see poller.Ready."""
        if not self.alone and not self.channel.hear(self._hear):
            self._lose()

    def pump(self) -> None:
        """Hear the rest; see poller.Pausing."""
        self.ready(0)

    def broke(self) -> None:
        """Hear the rest, of which no edge tells again; see poller.Ready."""
        self.poller.go_on(self)

    def nudged(self, number: int) -> None:
        """Accept at a door, where somebody waits."""
        if door := self.doors.get(number):
            door.look()

    def new_key(self) -> int:
        """Return what no other session here is called."""
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
        """Have the relay see to the client of `pair`, whose connection has failed with `error`, or
        is still being made.
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
        pair.told = True  # to be forgotten by the reports
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
            with contextlib.suppress(OSError):  # it is gone, which an event tells
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
            for one in descriptors:  # none, where no descriptor was free
                self.kept[message.number] = socket.socket(fileno=one)
        elif isinstance(message, Drop):
            if kept := self.kept.pop(message.number, None):
                kept.close()
        elif isinstance(message, Door):
            self.reports.flush()
            self._open(message, [socket.socket(fileno=one) for one in descriptors])
            self.tell(Heard(message.version))
        elif isinstance(message, Shut):
            self.reports.flush()  # who hears that it is shut knows of all who came before
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
        """Bring the clients of `door` that are being connected to what they no longer are led to;
        all, where it is shut.
        """
        shut = door.number not in self.doors
        for attempt in tuple(self.attempts):
            pair = attempt.pair
            if pair.doorway is door and (shut or pair.way.number not in door.numbers):
                self.bring(pair)

    def _look(self) -> None:
        """See to connections that take their time."""
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
        """Say it to the relay, if there is one."""
        if not self.alone:
            with contextlib.suppress(OSError):  # it is gone, which an event tells
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
        """Work for the relay at the other end of `channel`."""
        for number in MEANT_FOR_ALL:
            signal.signal(number, signal.SIG_IGN)
        self.orphan, self.channel, self.alone = None, channel, False
        self.row.rejoin()


class _Nudges(Ready):
    """Hears of doors at which somebody waits; see poller.Ready."""

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
        """The next event tells again."""


def _numbers(pair: Carried) -> tuple[int, int, int]:
    upstream = pair.upstream
    return pair.key, pair.client.received, upstream.received if upstream else 0
