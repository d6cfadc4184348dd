"""The messages between the relay and its worker processes, and how they are written.

They are datagrams on a pair of unix sockets (SOCK_SEQPACKET): they arrive whole and in order, and
each side notices when the other is gone. Numbers are little-endian. A session has a key, by which
both sides name it: an odd one where the worker accepted the client, an even one where the relay
did. Times are of the monotonic clock, which all processes share.

    to the worker     DOOR   version, where clients of a door are to be connected, as JSON; the
                             listener is attached where the worker does not have it
                      SHUT   version, door: accept there no longer, and bring the clients that are
                             not connected yet
                      ADOPT  key, a session as `passing` has it; attached are its sockets, and the
                             file of what is unsent
                      BACK   return so many sessions that are connected
                      CUT    key
                      NOTED  the numbers, in their routes, of sessions that the worker has told of
                      KEEP   number; keep a copy of a listening socket, which is attached
                      DROP   number; close the listening socket that is kept by it
                      ASK    tell the bytes of all sessions
                      PING
    from the worker   HELLO  once it can carry; answers PING
                      HEARD  version; answers DOOR and SHUT
                      RETURN key, a session; see ADOPT
                      BRING  a client without an upstream, which the relay is to serve; attached
                             are its socket, and the connection to an endpoint if one is being made
                      NEWS   of sessions, in order: OPENED, JOINED, ENDED, SUM
                      TOLD   more to come?, bytes held unsent, (key, to_upstream, to_client)...;
                             answers ASK

When the relay is killed its workers stay. Each waits beside the admin socket for the next relay
(`orphan`, `reclaim`). These messages are sent then; after WHOLE both sides speak as above.

    to the worker     CLAIM    version
    from the worker   ORPHANED version, pid, row, rows; where the versions differ that is all, and
                               all listeners are closed; else the memory and the texts are attached
                      BOX      a letter box is attached; one for each row
                      LISTENS  number, note; a listening socket is attached
                      BOOKS    number, what was counted
                      CARRIES  a session
                      WHOLE    the end of these messages

CLAIM, and the first field of ORPHANED, are written in the same way in every version.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

from ambassador.core.session import Event, State
from ambassador.planes.relay import claims
from ambassador.planes.relay.worker_messages import (
    Adopt,
    Ask,
    Back,
    Books,
    Box,
    Bring,
    Carries,
    Claim,
    Client,
    Cut,
    Door,
    Drop,
    Ended,
    Heard,
    Hello,
    Item,
    Joined,
    Keep,
    Listens,
    Message,
    News,
    Noted,
    Numbers,
    Opened,
    Orphaned,
    Passed,
    PassedSide,
    Ping,
    Return,
    Shut,
    Sum,
    Told,
    Way,
    Whole,
)

__all__ = ["LARGEST", "VERSION", "decode", "encode", "noted", "told"]

VERSION = 2  # of all messages, as told in CLAIM and ORPHANED
LARGEST = 65536  # bytes of a message
_ADOPT = struct.Struct("<BQBBB QQ??B QQ??BH")
_DOOR = struct.Struct("<BQ")
_SHUT = struct.Struct("<BQI")
_CUT = _HEARD = _BACK = _DOOR
_BRING = struct.Struct("<BQ?IIdi?")
_OPENED = struct.Struct("<BQIIddQQ")
_JOINED = struct.Struct("<BQIdQ")
_ENDED = struct.Struct("<BQBQQ")
_SUM = struct.Struct("<BIIBQQI")
_LENGTH = struct.Struct("<H")
_TOLD = struct.Struct("<B?Q")
_NUMBERS = struct.Struct("<QQQ")
_AT_ONCE = 170  # sessions of one TOLD
_EVENTS = tuple(Event)
_STATES = tuple(State)
_NUMBER_OF = {event: number for number, event in enumerate(_EVENTS)}
_KINDS: tuple[type[Message], ...] = (
    Adopt, Cut, Ask, Hello, News, Told, Ping, Door, Shut, Heard, Bring,
    Back,
    Return,
    Noted, Keep, Drop, Claim, Orphaned, Box, Listens, Books, Carries, Whole,
)  # fmt: skip
_BARE: dict[type[Message], Message] = {
    Ask: Ask(),
    Hello: Hello(),
    Ping: Ping(),
    Box: Box(),
    Whole: Whole(),
}


def encode(message: Message) -> bytes:  # noqa: PLR0911 (one a kind)
    """Return `message` as it is sent."""
    kind = _KINDS.index(type(message))
    match message:
        case Adopt(key, passed, number, note):
            return _passed(kind, key, passed, number) + note.encode()
        case Return(key, passed):
            return _passed(kind, key, passed, 0)
        case Cut(number) | Heard(number) | Back(number):
            return _CUT.pack(kind, number)
        case News(items):
            return bytes([kind]) + b"".join(map(_encode_item, items))
        case Told(more, held, numbers):
            return _TOLD.pack(kind, more, held) + b"".join(_NUMBERS.pack(*one) for one in numbers)
        case Door(version=version):
            import json  # noqa: PLC0415 (5 ms of a start, before which no door is needed)

            return _DOOR.pack(kind, version) + json.dumps(message[1:]).encode()
        case Shut(version, number):
            return _SHUT.pack(kind, version, number)
        case Bring(key, known, door, way, started, error, under_way, client):
            found = _BRING.pack(kind, key, known, door, way, started, error, under_way)
            return found + _client(client)
        case Ask() | Hello() | Ping() | Box() | Whole():
            return bytes([kind])
        case _:
            return claims.encode(kind, message)


def _passed(kind: int, key: int, passed: Passed, book: int) -> bytes:
    version, state, event, client, upstream = passed
    numbers = version, _STATES.index(state), _EVENTS.index(event)
    return _ADOPT.pack(kind, key, *numbers, *client, *upstream, book)


def decode(data: bytes) -> Message:  # noqa: PLR0911, PLR0912 (one a kind)
    """Return the message that `data` is; inverse of `encode`. Raises ValueError."""
    try:
        kind = _KINDS[data[0]]
        if kind is News:
            return News(tuple(_decode_items(data)))
        if kind is Adopt or kind is Return:
            _, key, version, state, event, *sides, book = _ADOPT.unpack_from(data)
            client, upstream = PassedSide(*sides[:5]), PassedSide(*sides[5:])
            passed = Passed(version, _STATES[state], _EVENTS[event], client, upstream)
            if kind is Adopt:
                return Adopt(key, passed, book, data[_ADOPT.size :].decode())
            if len(data) == _ADOPT.size and not book:
                return Return(key, passed)
        if kind is Cut:
            return Cut(*_CUT.unpack(data)[1:])
        if kind is Heard:
            return Heard(*_HEARD.unpack(data)[1:])
        if kind is Back:
            return Back(*_BACK.unpack(data)[1:])
        if kind is Told:
            _, more, held = _TOLD.unpack_from(data)
            return Told(more, held, tuple(_NUMBERS.iter_unpack(data[_TOLD.size :])))
        if kind is Door:
            return _decode_door(data)
        if kind is Shut:
            return Shut(*_SHUT.unpack(data)[1:])
        if kind is Bring:
            fields = (*_BRING.unpack_from(data)[1:], _client_of(data[_BRING.size :]))
            return Bring(*fields)
        if len(data) == 1 and kind in _BARE:
            return _BARE[kind]
        if (found := claims.decode(kind, data)) is not None:
            return found
    except (IndexError, KeyError, TypeError, struct.error) as error:
        raise ValueError(f"not a message: {data[:32]!r}: {error}") from error
    raise ValueError(f"not a message: {data[:32]!r}: too long")


def _decode_door(data: bytes) -> Door:
    import json  # noqa: PLC0415 (see encode)

    _, version = _DOOR.unpack_from(data)
    fields = json.loads(data[_DOOR.size :])
    number, turns, places, random, alternatives, limit, keepalive, note = fields
    return Door(
        version,
        int(number),
        tuple(map(int, turns)),
        tuple(tuple(_way(*way) for way in ways) for ways in places),
        bool(random),
        bool(alternatives),
        float(limit),
        float(keepalive),
        str(note),
    )


def _way(number: int, address: str, port: int, endpoint: str, written: str) -> Way:
    return Way(int(number), str(address), int(port), str(endpoint), str(written))


def _client(client: Client) -> bytes:
    return f"{client[1]} {client[0]}".encode() if client else b""


def _client_of(data: bytes) -> Client:
    if not data:
        return None
    port, space, host = data.decode().partition(" ")
    if not space:
        raise ValueError(f"not a client: {data!r}")
    return host, int(port)


def _encode_item(item: Item) -> bytes:
    """Return `item` with its length before it, and its kind."""
    found: bytes
    if isinstance(item, Opened):
        found = _OPENED.pack(0, *item[:5], *item.inodes) + _client(item.client)
    elif isinstance(item, Joined):
        found = _JOINED.pack(1, *item)
    elif isinstance(item, Ended):
        key, event, *numbers = item
        found = _ENDED.pack(2, key, _NUMBER_OF[event], *numbers)
    else:
        door, way, event, up, down, connects, totals = item
        times = struct.pack(f"<{len(connects)}d{len(totals)}d", *connects, *totals)
        found = _SUM.pack(3, door, way, _NUMBER_OF[event], up, down, len(connects)) + times
    return _LENGTH.pack(len(found)) + found


def _decode_items(data: bytes) -> Iterator[Item]:
    place = 1
    while place < len(data):
        (length,) = _LENGTH.unpack_from(data, place)
        place += _LENGTH.size
        item, place = data[place : place + length], place + length
        if len(item) != length:
            raise ValueError(f"not a message: {data[:32]!r}: too short")
        yield _decode_item(item)


def _decode_item(item: bytes) -> Item:
    kind = item[0]
    if kind == 0:
        fields = _OPENED.unpack_from(item)[1:]
        found = (*fields[:5], fields[5:], _client_of(item[_OPENED.size :]))
        return Opened(*found)
    if kind == 1:
        return Joined(*_JOINED.unpack(item)[1:])
    if kind == 2:
        _, key, event, up, down = _ENDED.unpack(item)
        return Ended(key, _EVENTS[event], up, down)
    if kind == 3:
        _, door, way, event, up, down, count = _SUM.unpack_from(item)
        rest = (len(item) - _SUM.size) // 8
        times = struct.unpack_from(f"<{rest}d", item, _SUM.size)
        if rest < count or _SUM.size + 8 * rest != len(item):
            raise ValueError(f"not a message: {item[:32]!r}: its times do not add up")
        return Sum(door, way, _EVENTS[event], up, down, times[:count], times[count:])
    raise ValueError(f"not a message: {item[:32]!r}: of no kind")


def told(numbers: Iterable[Numbers], held: int = 0) -> Iterator[Told]:
    """Yield the answer to Ask, in messages that are not too large."""
    everything = tuple(numbers)
    for start in range(0, max(1, len(everything)), _AT_ONCE):
        rest = start + _AT_ONCE < len(everything)
        yield Told(rest, held, everything[start : start + _AT_ONCE])


def noted(numbers: Sequence[tuple[int, int]]) -> Iterator[Noted]:
    """Yield keys of sessions with their numbers, in messages that are not too large."""
    for start in range(0, len(numbers), 2 * _AT_ONCE):
        yield Noted(tuple(numbers[start : start + 2 * _AT_ONCE]))
