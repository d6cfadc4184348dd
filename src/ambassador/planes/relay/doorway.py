"""A door as a worker has it: a listener where it accepts, and the sessions it begins there.

The worker knows where clients are led to, and does only what nearly all of them need: accept,
connect, carry. A client that needs more is brought to the relay: its connection to an endpoint has
failed, or takes long while there are other addresses to try, or the door is shut in the meantime.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from typing import TYPE_CHECKING, Any

from ambassador.core.session import TABLE, Action, Event, State
from ambassador.planes.relay.options import backlog, guard, no_delay, reset
from ambassador.planes.relay.pair import Pair
from ambassador.planes.relay.poller import Ready
from ambassador.planes.relay.side import Side
from ambassador.planes.relay.worker_messages import Client, Door, Way

if TYPE_CHECKING:
    from ambassador.planes.relay.worker_loop import WorkerLoop

__all__ = ["Attempt", "Carried", "Doorway", "first_port"]

# Reported while a client waits, to one worker only: the first that waits for it (epoll(7)).
_ONE = select.EPOLLIN | (1 << 28)  # EPOLLEXCLUSIVE; no name in Python 3.11's select
_MOST = 16  # clients that are accepted in one turn, before other sockets have theirs
_FEW = 2  # clients that wait: with more it is a flood
_LEAD = 8  # sessions that one worker may have more than another in a flood
# Seconds after which a worker that left a client to another worker looks again. If the other has
# made no turn by then, it gets no client before it makes one: a worker that stands still costs a
# client this wait once.
_AGAIN = 0.005
_BEGUN = frozenset({0, errno.EINPROGRESS})
_ERROR = select.EPOLLERR | select.EPOLLHUP
_OUT = select.EPOLLOUT
_STREAM = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
_PORTS = "/proc/sys/net/ipv4/ip_local_port_range"
_DIAL, _CUT = Event.DIAL, Event.CUT


class Carried(Pair):
    """A session that this worker carries: handed over by the relay, or begun at a door."""

    __slots__ = (
        "attempt", "book", "client_name", "connected", "doorway", "event", "key", "loop", "note",
        "number", "started", "told", "way",
    )  # fmt: skip
    number: int  # of the book in which its end is counted; see Shared
    book: int  # the first cell of that book in the shared memory
    note: str | int  # handed over: see Adopt; begun at a door: its number in the route, 0: unknown
    # Of a session that began at a door:
    way: Way
    client_name: object  # as accept(2) tells it
    started: float
    connected: float  # 0: not yet
    told: bool  # the relay knows of it

    def __init__(self, loop: WorkerLoop, key: int, client: socket.SocketType) -> None:
        super().__init__(loop.poller, client)
        self.loop = loop
        self.key = key
        self.event = _CUT
        self.doorway: Doorway | None = None
        self.attempt: Attempt | None = None

    def noted(self, event: Event) -> None:
        """Keep the event that ends it first; see Pair."""
        if self.event is _CUT and event is not Event.CONNECTED:
            self.event = event

    def finish(self) -> None:
        """See Pair."""
        if self.loop.carried.pop(self.key, None) is not None:
            self.loop.ended(self)

    def give_up(self, action: Action) -> None:
        """See Pair."""
        if action is Action.DROP_DIAL and self.attempt is not None:
            self.attempt.drop()
            self.attempt = None

    def name_client(self) -> Client:
        """Return the address of its client for a message; None for one of a unix socket."""
        name: Any = self.client_name
        return (name[0], name[1]) if isinstance(name, tuple) else None


class Attempt(Ready):
    """A connection that is being made for a session; see poller.Ready."""

    __slots__ = ("pair", "sock")

    def __init__(self, pair: Carried, sock: socket.SocketType) -> None:
        self.pair = pair
        self.sock = sock

    def ready(self, events: int) -> None:
        """The connection is made, or has failed."""
        pair, sock = self.pair, self.sock
        if events & _ERROR and (
            error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        ):  # without an error, the endpoint has ended already, perhaps after some bytes
            self.drop()
            pair.loop.bring(pair, error)
            return
        if not events & _OUT:
            return
        way = pair.way
        if way.port >= pair.loop.ephemeral and is_itself(sock):
            self.drop()
            pair.loop.bring(pair, errno.ECONNREFUSED)
            return
        if way.port:
            no_delay(sock)
        pair.attempt = None
        upstream = Side(pair, sock)
        pair.poller.give(sock.fileno(), upstream)
        pair.connected = time.monotonic()
        pair.loop.joined(self)
        pair.join(upstream, events)

    def drop(self) -> None:
        """Close the connection."""
        self.pair.loop.attempts.discard(self)
        reset(self.sock)  # it may be connected by now
        self.pair.poller.close_socket(self.sock)

    def broke(self) -> None:
        """See poller.Ready."""
        self.pair.broke()


class Doorway(Ready):
    """Accepts at one door, on `sock`, which other workers have, too."""

    def __init__(self, loop: WorkerLoop, door: Door, sock: socket.socket) -> None:
        self.number = door.number
        self.book = loop.row.book(door.number)
        self.keepalive = 0.0
        self._loop = loop
        self._sock = sock
        self._turn = 0
        self._watched = self._is_shut = False
        self.change(door)
        self._arguments = int(sock.family), int(sock.type), sock.proto
        self._is_path = sock.family == socket.AF_UNIX
        self._watch()

    def change(self, door: Door) -> None:
        """Lead clients from now on as `door` says."""
        self.door = door
        self.keepalive = door.keepalive
        self._turns = [0] * len(door.places)
        self.numbers = {way.number for ways in door.places for way in ways}

    @property
    def sock(self) -> socket.socket:
        """The listening socket."""
        return self._sock

    def shut(self) -> None:
        """Accept nothing any longer."""
        self.leave()
        self._is_shut = True
        self._loop.poller.close_socket(self._sock)

    def ready(self, events: int) -> None:
        """Accept; see poller.Ready."""
        loop = self._loop
        if loop.is_behind:
            loop.ready(0)  # a change that the relay has made counts for this client, too
            if loop.is_behind or self._is_shut:
                if loop.alone:  # the relay is gone before it told the change
                    self.leave()
                    loop.row.withdraw()
                return
        accept = self._sock._accept  # type: ignore[attr-defined]
        waiting = self._waiting()
        # In a flood an even spread is not worth a wait.
        lead = _LEAD if waiting > _FEW else 0
        for _ in range(min(max(1, waiting // loop.row.company), _MOST)):
            if not loop.row.may_accept(self.number, lead):
                self.leave()
                loop.poller.later(_AGAIN, self._look)
                return
            try:
                descriptor, address = accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._failed(error)
                return
            client = socket.SocketType(*self._arguments, descriptor)
            client.setblocking(False)
            if self._is_path:
                guard(client)  # a TCP socket has it from its listener
            self._begin(client, address)

    def look(self) -> None:
        """Accept: a worker with more sessions leaves a client to this one."""
        if not (self._is_shut or (self._loop.alone and self._loop.is_behind)):
            self._watch()
            self.ready(0)

    def broke(self) -> None:
        """Go on; see poller.Ready."""

    def _waiting(self) -> int:
        """Return how many clients wait; 1 where that is unknown, as at a unix socket."""
        return 1 if self._is_path else backlog(self._sock, 1)

    def _look(self) -> None:
        if not (self._is_shut or self._watched or (self._loop.alone and self._loop.is_behind)):
            self._loop.row.judge_others()
            self._watch()

    def _watch(self) -> None:
        if not self._watched:
            self._watched = True
            self._loop.poller.add(self._sock.fileno(), self, _ONE, patient=True)

    def leave(self) -> None:
        """Accept nothing for now: clients wait in the backlog, for other workers."""
        if self._watched:
            self._watched = False
            self._loop.poller.remove(self._sock.fileno())

    def _failed(self, error: OSError) -> None:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            self.leave()  # other workers may have descriptors
            self._loop.poller.later(0.1, self._look)

    def _begin(self, client: socket.SocketType, address: object) -> None:
        loop = self._loop
        pair = Carried(loop, loop.new_key(), client)
        pair.doorway = self
        pair.number, pair.book = self.number, self.book
        pair.note = 0
        pair.way = way = self._pick()
        pair.client_name = address
        pair.started = time.monotonic()
        pair.connected = 0.0
        pair.told = False
        loop.begin(pair)
        try:
            loop.poller.add(client.fileno(), pair.client)
            self._connect(pair, way)
        except OSError as error:
            if pair.attempt is not None:
                pair.attempt.drop()
                pair.attempt = None
            loop.bring(pair, error.errno or errno.EIO)

    def _connect(self, pair: Carried, way: Way) -> None:
        address, port = way.address, way.port
        if port:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.SocketType(family, _STREAM, 0)
            pair.attempt = Attempt(pair, sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # see source_ports
            error = sock.connect_ex((address, port))
            if error not in _BEGUN:
                raise OSError(error, "")
        else:
            sock = socket.SocketType(socket.AF_UNIX, _STREAM, 0)
            pair.attempt = Attempt(pair, sock)
            sock.connect(address)
        guard(sock)
        pair.poller.add(sock.fileno(), pair.attempt, patient=True)
        pair.loop.attempts.add(pair.attempt)
        pair.state, _ = TABLE[State.ACCEPTED, _DIAL]

    def _pick(self) -> Way:
        door = self.door
        turns, turn = door.turns, self._turn
        self._turn = turn + 1
        if len(turns) == 1:
            place = turns[0]
        elif door.random:
            place = turns[int(self._loop.chance() * len(turns))]
        else:
            place = turns[turn % len(turns)]
        ways = door.places[place]
        if len(ways) == 1:
            return ways[0]
        if door.random:
            return ways[int(self._loop.chance() * len(ways))]
        turn = self._turns[place]
        self._turns[place] = turn + 1
        return ways[turn % len(ways)]


def is_itself(sock: socket.SocketType) -> bool:
    """See refusal.refuse_itself."""
    try:
        return bool(sock.getsockname()[:2] == sock.getpeername()[:2])
    except OSError:  # the other side has reset it already
        return False


def first_port() -> int:
    """Return the first port that the kernel gives to a connection (ip(7)): a connection to a lower
    port cannot be one to itself.
    """
    try:
        with open(_PORTS) as file:  # noqa: PTH123 (pathlib is 5 ms)
            return int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return 0  # look at all connections
