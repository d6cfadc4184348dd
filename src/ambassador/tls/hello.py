"""What a client has asked for in its first message (RFC 8446, section 4.1.2): the host name (RFC
6066, 3), and whether another ambassador would resume a session.

Python gives the name only to a callback, and prints a traceback for a name that is not ASCII: any
client could fill the log with them.
"""

from __future__ import annotations

__all__ = ["is_whole", "resumes", "server_name"]

_RECORD, _HELLO, _SERVER_NAME, _HOST = 22, 1, 0, 0
_PRE_SHARED_KEY = bytes([0, 41])  # the type of this extension (RFC 8446, section 4.2)
_HEAD = 5  # bytes before the content of a record
_RANDOM = 4 + 2 + 32  # type and length of the message, version, random
_LONGEST = 255


def is_whole(data: bytes) -> bool:
    """Return whether the first record of `data` is complete, or `data` cannot be a record."""
    return len(data) >= _HEAD and len(data) >= _HEAD + int.from_bytes(data[3:5])


def server_name(data: bytes) -> str:
    """Return the host name in the ClientHello that `data` begins with; empty: there is none, or it
    makes no sense, or it is in another record.
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


def resumes(data: bytes, protocol: bytes) -> bool:
    """Return whether the ClientHello that is the first record of `data` seems to offer `protocol`
    and a key of an earlier session. No more than a hint: its extensions are not read one by one,
    as that takes 10 us.
    """
    if not is_whole(data) or bytes([len(protocol)]) + protocol not in data:
        return False
    end = _HEAD + int.from_bytes(data[3:5])
    # It is the last extension (RFC 8446, section 4.2.11), so its length reaches to the end.
    at = data.find(_PRE_SHARED_KEY)
    while at >= 0:
        if at + 4 + int.from_bytes(data[at + 2 : at + 4]) == end:
            return True
        at = data.find(_PRE_SHARED_KEY, at + 1)
    return False


def _host(entry: bytes) -> str:
    # The length of the list, then type and length of its only name.
    name = entry[5 : 5 + int.from_bytes(entry[3:5])]
    if len(entry) < 6 or entry[2] != _HOST or len(name) > _LONGEST or not name.isascii():
        return ""
    text = name.decode()
    return text if text.isprintable() and " " not in text else ""
