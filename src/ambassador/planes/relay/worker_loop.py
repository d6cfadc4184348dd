"""What a worker does: see `worker_main`."""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import time
from _random import Random

from ambassador.core.session import Event, State
from ambassador.planes.relay.channel import Attached, Channel
from ambassador.planes.relay.doorway import Attempt, Carried, Doorway, first_port
from ambassador.planes.relay.options import reset
from ambassador.planes.relay.pair import Side
from ambassador.planes.relay.passing import arrive, file_of, pack, received, take_out
from ambassador.planes.relay.poller import LEVEL, Pausing, Poller, Ready
from ambassador.planes.relay.reports import Reports
from ambassador.planes.relay.shared import ABSENT, COLUMNS, DOOR, LOAD, TURN, VERSION, Shared
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
    Message,
    Ping,
    Return,
    Shut,
)
from ambassador.planes.relay.worker_protocol import told

__all__ = ["MEANT_FOR_ALL", "WorkerLoop"]

MEANT_FOR_ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TICK = 0.05  # seconds between two looks at connections that are being made
_BESIDE = 0.25  # seconds after which another may be tried beside one; see dial.BESIDE
_RESERVE = 32  # descriptors that are not for sessions
_NUDGE_BYTES = 4


class WorkerLoop(Pausing):
    """Does what `sock` tells it to, as the worker of a `row` of what is `shared`. Sessions that are
    over in a moment are told of in sums, or `each` by itself.
    """

    def __init__(
        self, sock: socket.socket, poller: Poller, shared: Shared, row: int, each: bool = True
    ) -> None:
        self.poller = poller
        self.carried: dict[int, Carried] = {}
        self.attempts: set[Attempt] = set()
        self.alone = False  # the relay is gone
        self.version = 0  # of the doors
        self.chance = Random().random
        self.ephemeral = first_port()
        self.reports = Reports(self._tell, poller.later, sums=not each)
        self._channel = Channel(sock, poller.close_socket)
        self._shared = shared
        self._cells = shared.cells
        self._base = row * COLUMNS
        self._others = [one * COLUMNS for one in range(1, shared.rows + 1) if one != row]
        self._still: dict[int, int] = {}  # who leaves clients waiting, and the turn it had then
        self._doors: dict[int, Doorway] = {}
        self._key = 1
        self._room = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _RESERVE) // 2
        self._looking = False
        self.company = 1  # workers there are
        self._left = 0, 0  # whom a client was left to, and its turn then
        self._box = shared.boxes[row - 1][0]
        poller.add(self._box.fileno(), _Nudges(self, self._box), LEVEL)
        poller.add(sock.fileno(), self)
        self._cells[self._base + LOAD] = 0
        self._channel.send(Hello())

    @property
    def is_behind(self) -> bool:
        """Whether something about the doors has been said that was not heard yet."""
        return self.version != self._cells[VERSION] and not self.alone

    def ready(self, events: int) -> None:
        """Do what the relay asks for; see poller.Ready."""
        if self.alone:
            return
        try:
            with contextlib.suppress(OSError):  # it is gone, which is read next
                self._channel.flush()
            for message, descriptors in self._channel.receive():
                self._hear(message, descriptors)
        except EOFError:
            self._lose()

    def pump(self) -> None:
        """Hear the rest; see poller.Pausing."""
        self.ready(0)

    def broke(self) -> None:
        """Hear the rest, of which no edge tells again; see poller.Ready."""
        self.poller.go_on(self)

    def turned(self) -> None:
        """Note that a turn is over."""
        self._cells[self._base + TURN] += 1

    def may_accept(self, door: Doorway, lead: int) -> bool:
        """Tell whether a client of `door` is ours; where another has fewer sessions, by more than
        `lead`, it is told that there is somebody.

        An even spread of sessions is what gives an even share of the cores; where many come at
        once and go at once, that is not worth a message.
        """
        cells = self._cells
        mine = cells[self._base + LOAD]
        if mine >= self._room:
            return False
        least, who = ABSENT, 0
        company = 1
        for base in self._others:
            load = cells[base + LOAD]
            company += load != ABSENT
            if load < least and self._still.get(base) != cells[base + TURN]:
                least, who = load, base
        self.company = company
        if mine <= least + lead + (mine >> 3):
            return True
        box = self._shared.boxes[who // COLUMNS - 1][1]
        with contextlib.suppress(OSError):  # full: it has been told
            box.send(door.number.to_bytes(_NUDGE_BYTES, "little"))
        self._left = who, cells[who + TURN]
        return False

    def judge_others(self) -> None:
        """Leave nothing any longer to a worker that has not come to it in the meantime."""
        who, turn = self._left
        if self._cells[who + TURN] == turn:
            self._still[who] = turn

    def nudged(self, number: int) -> None:
        """Accept at a door, where somebody waits."""
        if door := self._doors.get(number):
            door.look()

    def new_key(self) -> int:
        """Return what no other session here is called."""
        self._key += 2
        return self._key

    def begin(self, pair: Carried) -> None:
        """Count a session that has begun at a door."""
        cells, base, door = self._cells, self._base, pair.doorway
        assert door is not None
        cells[base + DOOR + door.number] += 1
        cells[base + LOAD] += 1
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
        self._cells[self._base + LOAD] -= 1
        message = Bring(
            *(pair.key, known, door.number, pair.way.number, pair.started, error, under_way),
            client=client,
        )
        if self.alone:
            for sock in attached:
                reset(sock)
                sock.close()
        else:
            with contextlib.suppress(OSError):  # it is gone, which an event tells
                self._channel.send(message, attached)
        pair.part()

    def ended(self, pair: Carried) -> None:
        """Count the end of `pair`."""
        self._cells[self._base + LOAD] -= 1
        self.reports.ended(pair)
        pair.part()

    def _hear(self, message: Message, descriptors: list[int]) -> None:
        if isinstance(message, Adopt):
            self._adopt(message, descriptors)
        elif isinstance(message, Back):
            self._return_some(message.most)
        elif isinstance(message, Door):
            self.reports.flush()
            self._open(message, [socket.socket(fileno=one) for one in descriptors])
            self._tell(Heard(message.version))
        elif isinstance(message, Shut):
            self.reports.flush()  # who hears that it is shut knows of all who came before
            if door := self._doors.pop(message.number, None):
                door.shut()
                self._bring_from(door)
            self.version = message.version
            self._tell(Heard(message.version))
        elif isinstance(message, Cut):
            if pair := self.carried.get(message.key):
                pair.happened(Event.CUT)
                self.reports.soon = True
        elif isinstance(message, Ping):
            self._tell(Hello())
        elif isinstance(message, Ask):
            self.reports.flush()
            numbers = (_numbers(pair) for pair in self.carried.values())
            for piece in told(numbers, self.poller.memory.held):
                self._tell(piece)

    def _open(self, message: Door, socks: list[socket.socket]) -> None:
        self.version = message.version
        door = self._doors.get(message.number)
        if door is not None:
            for sock in socks:
                sock.close()
            door.change(message)
            self._bring_from(door)
        elif socks:
            self._doors[message.number] = Doorway(self, message, socks[0])

    def _bring_from(self, door: Doorway) -> None:
        """Bring the clients of `door` that are being connected to what they no longer are led to;
        all, where it is shut.
        """
        shut = door.number not in self._doors
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

    def _adopt(self, message: Adopt, descriptors: list[int]) -> None:
        passed = message.passed
        found = received(passed, descriptors)
        if found is None:
            numbers = passed.client.received, passed.upstream.received
            self.reports.add(Ended(message.key, Event.CUT, *numbers))
            return
        client, upstream, unsent = found
        pair = self.carried[message.key] = Carried(self, message.key, client)
        pair.told = True
        pair.event = passed.event
        self._cells[self._base + LOAD] += 1
        side = Side(pair, upstream)
        # Both are non-blocking already: that belongs to the open file, not to its number.
        try:
            arrive(pair, passed, side, unsent)
        except Exception:  # too many are watched (epoll_ctl(2)), for one
            pair.broke()
            raise

    def _return_some(self, most: int) -> None:
        """Give back so much of what is connected, as it is."""
        self.reports.flush()
        for key, pair in list(self.carried.items()):
            packed = pack(pair, pair.event)
            if packed is None:
                continue
            if not most:
                return
            most -= 1
            passed, socks, unsent = packed
            try:
                attached: list[Attached] = [*socks, *([file_of(unsent)] if unsent else [])]
            except OSError:  # no descriptor, no memory: it stays
                continue
            take_out(pair)
            del self.carried[key]
            self._cells[self._base + LOAD] -= 1
            with contextlib.suppress(OSError):  # it is gone, which an event tells
                self._channel.send(Return(key, passed), attached)
            pair.part()

    def _tell(self, message: Message) -> None:
        if not self.alone:
            with contextlib.suppress(OSError):  # it is gone, which an event tells
                self._channel.send(message)

    def _lose(self) -> None:
        self.alone = True
        self.poller.close_socket(self._channel.sock)
        for door in self._doors.values():
            door.shut()
        self._doors.clear()
        for number in MEANT_FOR_ALL:
            signal.signal(number, signal.SIG_DFL)


class _Nudges(Ready):
    """Hears of doors at which somebody waits; see poller.Ready."""

    def __init__(self, loop: WorkerLoop, box: socket.socket) -> None:
        self._loop = loop
        self._box = box

    def ready(self, events: int) -> None:
        try:
            said = self._box.recv(_NUDGE_BYTES)
        except BlockingIOError:
            return
        self._loop.nudged(int.from_bytes(said, "little"))

    def broke(self) -> None:
        """The next event tells again."""


def _numbers(pair: Carried) -> tuple[int, int, int]:
    upstream = pair.upstream
    return pair.key, pair.client.received, upstream.received if upstream else 0
