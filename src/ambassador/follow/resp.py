"""RESP, the protocol of Redis, Valkey and Sentinel, as far as a follower needs it. Pure.

https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

from typing import TypeAlias

__all__ = ["Incomplete", "Refused", "Reply", "Unreadable", "command", "parse"]

_DEEPEST = 8
_LARGEST = 1 << 20  # bytes of one string, elements of one list; no answer to a follower is larger


class Incomplete(Exception):  # noqa: N818 - no fault: there has to be more
    """The end of the reply was not received yet."""


class Unreadable(Exception):  # noqa: N818 - it is the finding
    """The bytes received are no reply."""


class Refused(str):
    """An error reply, with its text."""

    __slots__ = ()


Reply: TypeAlias = "str | Refused | int | list[Reply] | None"


def command(*words: str) -> bytes:
    """Return a command in the format in which it is sent."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def parse(data: bytes, start: int = 0, depth: int = 0) -> tuple[Reply, int]:
    """Return the reply that begins at `start`, and where the next begins.

    Raises Incomplete and Unreadable.
    """
    end = data.find(b"\r\n", start)
    if end < 0:
        if len(data) - start > _LARGEST:
            raise Unreadable("a line that does not end")
        raise Incomplete
    kind, text, after = data[start : start + 1], data[start + 1 : end], end + 2
    if kind == b"+":
        return _text(text), after
    if kind == b"-":
        return Refused(_text(text)), after
    if kind == b":":
        return _number(text), after
    if kind == b"$":
        return _string(data, _number(text), after)
    if kind == b"*":
        return _list(data, _number(text), after, depth)
    raise Unreadable(f"it says {_text(data[start : start + 40])!r}, which is not RESP")


def _string(data: bytes, size: int, start: int) -> tuple[Reply, int]:
    if size < 0:
        return None, start
    if size > _LARGEST:
        raise Unreadable(f"a string of {size} bytes")
    if len(data) < start + size + 2:
        raise Incomplete
    return _text(data[start : start + size]), start + size + 2


def _list(data: bytes, size: int, start: int, depth: int) -> tuple[Reply, int]:
    if size < 0:
        return None, start
    if size > _LARGEST or depth >= _DEEPEST:
        raise Unreadable(f"a list of {size} elements in {depth} others")
    found: list[Reply] = []
    for _ in range(size):
        one, start = parse(data, start, depth + 1)
        found.append(one)
    return found, start


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _number(text: bytes) -> int:
    try:
        return int(text)
    except ValueError:
        raise Unreadable(f"{_text(text[:40])!r} is not a number") from None
