"""The name a client has asked for, from the first it says (RFC 8446, section 4.1.2; RFC 6066, 3).

Python tells of it only by a callback, which prints a traceback of a name that is no ASCII: whoever
connects could fill the log with them.
"""

from __future__ import annotations

__all__ = ["is_whole", "server_name"]

_RECORD, _HELLO, _SERVER_NAME, _HOST = 22, 1, 0, 0
_HEAD = 5  # bytes before what a record has
_RANDOM = 4 + 2 + 32  # type and length of the message, version, random
_LONGEST = 255


def is_whole(data: bytes) -> bool:
    """Return whether the first record of `data` is there, or nothing that could be one is."""
    return len(data) >= _HEAD and len(data) >= _HEAD + int.from_bytes(data[3:5])


def server_name(data: bytes) -> str:
    """Return the host name in the ClientHello that `data` begins with; empty: there is none, or it
    makes no sense, or is in another record.
    """
    if data[:1] != bytes([_RECORD]) or data[_HEAD : _HEAD + 1] != bytes([_HELLO]):
        return ""
    body = data[_HEAD : _HEAD + int.from_bytes(data[3:5])]
    place = _RANDOM
    for size in (1, 2, 1):  # session id, cipher suites, compression methods
        place += size + int.from_bytes(body[place : place + size])
    place += 2
    while place + 4 <= len(body):
        kind, length = (int.from_bytes(body[at : at + 2]) for at in (place, place + 2))
        if kind == _SERVER_NAME:
            return _host(body[place + 4 : place + 4 + length])
        place += 4 + length
    return ""


def _host(entry: bytes) -> str:
    # The length of the list, then the type and the length of its only name.
    name = entry[5 : 5 + int.from_bytes(entry[3:5])]
    if len(entry) < 6 or entry[2] != _HOST or len(name) > _LONGEST or not name.isascii():
        return ""
    text = name.decode()
    return text if text.isprintable() and " " not in text else ""
