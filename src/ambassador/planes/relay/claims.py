"""How the messages of a claim are written, and those that prepare one; see `worker_protocol`."""

from __future__ import annotations

import struct

from ambassador.planes.relay.worker_messages import (
    Books,
    Carries,
    Claim,
    Drop,
    Keep,
    Listens,
    Message,
    Noted,
    Orphaned,
)

__all__ = ["decode", "encode"]

_PAIR = struct.Struct("<QQ")
_KEEP = struct.Struct("<BI")
_ORPHANED = struct.Struct("<BIIII")
_BOOKS = struct.Struct("<BI9Q")
_CARRIES = struct.Struct("<BQIIQQQQ")


def encode(kind: int, message: Message) -> bytes:
    """Return `message` as it is sent."""
    match message:
        case Noted(numbers):
            return bytes([kind]) + b"".join(_PAIR.pack(*one) for one in numbers)
        case Keep(number) | Drop(number) | Claim(number):
            return _KEEP.pack(kind, number)
        case Orphaned(version, pid, row, rows):
            return _ORPHANED.pack(kind, version, pid, row, rows)
        case Listens(number, note):
            return _KEEP.pack(kind, number) + note.encode()
        case Books(number, values):
            return _BOOKS.pack(kind, number, *values)
        case Carries():
            client, upstream = message.inodes
            carried = message.to_upstream, message.to_client
            facts = message.key, message.book, message.way, client, upstream, *carried
            return _CARRIES.pack(kind, *facts) + message.note.encode()
    raise TypeError(message)


def decode(  # noqa: PLR0911 (one a kind)
    kind: type[Message], data: bytes
) -> Message | None:
    """Return the message that `data` is; None where it is of a kind that is not written here."""
    if kind is Noted:
        return Noted(tuple(_PAIR.iter_unpack(data[1:])))
    if kind is Keep or kind is Drop or kind is Claim:
        return kind(*_KEEP.unpack(data)[1:])
    if kind is Orphaned:
        return Orphaned(*_ORPHANED.unpack(data)[1:])
    if kind is Listens:
        return Listens(_KEEP.unpack_from(data)[1], data[_KEEP.size :].decode())
    if kind is Books:
        _, number, *values = _BOOKS.unpack(data)
        return Books(number, tuple(values))
    if kind is Carries:
        _, key, book, way, one, other, up, down = _CARRIES.unpack_from(data)
        return Carries(key, book, way, (one, other), up, down, data[_CARRIES.size :].decode())
    return None
