"""What the relay and a process that carries sessions for it say to each other.

Datagrams on a pair of unix sockets (SOCK_SEQPACKET): whole, in order, and the end of either side
is seen. Numbers are little-endian; a session is called by a key the relay chose.

    to the worker     ADOPT  key, bytes to_upstream, to_client so far; client and upstream attached
                      CUT    key
                      ASK
                      PING
    from the worker   HELLO  once it can carry; answers PING
                      ENDED  key, the event that ended it, bytes to_upstream, to_client
                      TOLD   more to come?, bytes held unsent, (key, to_upstream, to_client)...;
                             answers ASK
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ambassador.core.session import Event

__all__ = [
    "Adopt",
    "Ask",
    "Channel",
    "Cut",
    "Ended",
    "Hello",
    "Message",
    "Ping",
    "Told",
    "decode",
    "encode",
    "told",
]

_LARGEST = 4096  # bytes of a message
_ADOPT = struct.Struct("<BQQQ")
_CUT = struct.Struct("<BQ")
_ENDED = struct.Struct("<BQBQQ")
_TOLD = struct.Struct("<B?Q")
_NUMBERS = struct.Struct("<QQQ")
_AT_ONCE = (_LARGEST - _TOLD.size) // _NUMBERS.size
_EVENTS = tuple(Event)

Numbers: TypeAlias = tuple[int, int, int]  # key, to_upstream, to_client


@dataclass(frozen=True, slots=True)
class Adopt:
    """Carry this session."""

    key: int
    to_upstream: int
    to_client: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Reset both sides of a session."""

    key: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Tell the numbers of all sessions."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Say hello."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Sessions may come."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A session has ended, first by `event`."""

    key: int
    event: Event
    to_upstream: int
    to_client: int


@dataclass(frozen=True, slots=True)
class Told:
    """Numbers of some sessions; with `more` there are others to come. All sessions hold `held`
    bytes unsent.
    """

    more: bool
    held: int
    numbers: tuple[Numbers, ...]


Message: TypeAlias = Adopt | Cut | Ask | Hello | Ended | Told | Ping
_KINDS: tuple[type[Message], ...] = (Adopt, Cut, Ask, Hello, Ended, Told, Ping)
_BARE: dict[type[Message], Message] = {Ask: Ask(), Hello: Hello(), Ping: Ping()}


def encode(message: Message) -> bytes:
    """Return `message` as it is sent."""
    kind = _KINDS.index(type(message))
    match message:
        case Adopt(key, to_upstream, to_client):
            return _ADOPT.pack(kind, key, to_upstream, to_client)
        case Cut(key):
            return _CUT.pack(kind, key)
        case Ended(key, event, to_upstream, to_client):
            return _ENDED.pack(kind, key, _EVENTS.index(event), to_upstream, to_client)
        case Told(more, held, numbers):
            return _TOLD.pack(kind, more, held) + b"".join(_NUMBERS.pack(*one) for one in numbers)
        case Ask() | Hello() | Ping():
            return bytes([kind])


def decode(data: bytes) -> Message:
    """Return the message that `data` is; inverse of `encode`. Raises ValueError."""
    try:
        kind = _KINDS[data[0]]
        if kind is Adopt:
            return Adopt(*_ADOPT.unpack(data)[1:])
        if kind is Cut:
            return Cut(*_CUT.unpack(data)[1:])
        if kind is Ended:
            _, key, event, to_upstream, to_client = _ENDED.unpack(data)
            return Ended(key, _EVENTS[event], to_upstream, to_client)
        if kind is Told:
            _, more, held = _TOLD.unpack_from(data)
            return Told(more, held, tuple(_NUMBERS.iter_unpack(data[_TOLD.size :])))
        if len(data) == 1:
            return _BARE[kind]
    except (IndexError, struct.error) as error:
        raise ValueError(f"not a message: {data[:32]!r}: {error}") from error
    raise ValueError(f"not a message: {data[:32]!r}: too long")


def told(numbers: Iterable[Numbers], held: int = 0) -> Iterator[Told]:
    """Yield the answer to Ask, in messages that are not too large."""
    everything = tuple(numbers)
    for start in range(0, max(1, len(everything)), _AT_ONCE):
        rest = start + _AT_ONCE < len(everything)
        yield Told(rest, held, everything[start : start + _AT_ONCE])


class Channel:
    """One end of the pair of sockets. What cannot be sent now is kept, in order, until `flush`."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._kept: deque[bytes] = deque()
        sock.setblocking(False)

    @property
    def is_full(self) -> bool:
        """Whether something is kept."""
        return bool(self._kept)

    def send(self, message: Message) -> None:
        """Send `message`, now or later. Raises OSError when the other end is gone."""
        self._kept.append(encode(message))
        self.flush()

    def attach(self, message: Message, descriptors: tuple[int, int]) -> bool:
        """Send `message` with `descriptors`, now; tell whether that could be done."""
        if self._kept:
            return False
        try:
            socket.send_fds(self.sock, [encode(message)], descriptors)
        except OSError:  # full, or the other end is gone, which is seen elsewhere
            return False
        return True

    def flush(self) -> None:
        """Send what is kept, as far as there is room. Raises OSError, as `send`."""
        while self._kept:
            try:
                self.sock.send(self._kept[0])
            except BlockingIOError:
                return
            self._kept.popleft()

    def receive(self) -> Iterator[tuple[Message, list[int]]]:
        """Yield what has arrived, with the descriptors that came along. Raises EOFError when the
        other end is gone.
        """
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(self.sock, _LARGEST, 2)
            except BlockingIOError:
                return
            except OSError as error:
                raise EOFError from error
            if not data:
                raise EOFError
            yield decode(data), list(descriptors)
