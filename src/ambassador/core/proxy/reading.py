"""A PROXY header as it arrives: parsed as soon as it is complete, refused at the first wrong
byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from ambassador.core.proxy.crc32c import crc32c
from ambassador.core.proxy.header import (
    ALPN,
    AUTHORITY,
    CRC32C,
    INET,
    INET6,
    LINE,
    LOCAL,
    LONGEST_ID,
    MOST,
    PROXY,
    SIGNATURE,
    STREAM,
    TLS,
    UNIQUE_ID,
    UNSPEC,
    VERSION,
    Header,
    Place,
)
from ambassador.model import Reason

__all__ = ["BadHeaderError", "read"]

_WORD, _UNKNOWN = b"PROXY ", b"PROXY UNKNOWN"
_FIXED = 16  # bytes before the addresses of version 2
_ADDRESSES = (0, 12, 36, 216)  # length of the addresses, by family
_PORT = re.compile(rb"0|[1-9][0-9]{0,4}")
_SPACED = {b"TCP4": AF_INET, b"TCP6": AF_INET6}
_FIELDS = {ALPN: "alpn", AUTHORITY: "authority", UNIQUE_ID: "unique_id", TLS: "tls"}


class BadHeaderError(Exception):
    """The bytes received are no PROXY header that can be accepted, for `reason`."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def read(data: bytes) -> tuple[Header, int] | None:
    """Return the header that `data` begins with and its length in bytes; None where more bytes are
    needed. Raises BadHeaderError, at the first byte that cannot be right.
    """
    if data.startswith(SIGNATURE):
        return _binary(data)
    if data.startswith(_WORD):
        return _line(data)
    if SIGNATURE.startswith(data) or _WORD.startswith(data):
        return None
    raise BadHeaderError(Reason.PROXY_MALFORMED)


def _line(data: bytes) -> tuple[Header, int] | None:
    """Read version 1 (section 2.1): one line, which ends with CR LF and not with one of the two
    alone.
    """
    end = data.find(b"\n", 0, LINE)
    if end < 0:
        if len(data) >= LINE:
            raise BadHeaderError(Reason.PROXY_LONG)
        if b"\r" in data[:-1]:
            raise BadHeaderError(Reason.PROXY_MALFORMED)
        return None
    line = data[: end - 1]
    if data[end - 1 : end] != b"\r" or b"\r" in line:
        raise BadHeaderError(Reason.PROXY_MALFORMED)
    if line == _UNKNOWN or line.startswith(_UNKNOWN + b" "):
        return Header(), end + 1
    fields = line.split(b" ")
    family = _SPACED.get(fields[1])
    if family is None or len(fields) != 6:
        raise BadHeaderError(Reason.PROXY_MALFORMED)
    _, _, source, destination, from_port, to_port = fields
    found = Header(
        (_host(family, source), _port(from_port)), (_host(family, destination), _port(to_port))
    )
    return found, end + 1


def _host(family: int, text: bytes) -> str:
    if family == AF_INET6 and b"." in text:  # only hexadecimal groups are allowed
        raise BadHeaderError(Reason.PROXY_MALFORMED)
    try:
        return inet_ntop(family, inet_pton(family, text.decode("ascii")))
    except (OSError, ValueError):
        raise BadHeaderError(Reason.PROXY_MALFORMED) from None


def _port(text: bytes) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise BadHeaderError(Reason.PROXY_MALFORMED)
    return int(text)


def _binary(data: bytes) -> tuple[Header, int] | None:
    """Read version 2 (section 2.2)."""
    fixed = data[len(SIGNATURE) : _FIXED]
    command = fixed[0] & 0xF if fixed else LOCAL
    if fixed and (fixed[0] & 0xF0 != VERSION or command not in (LOCAL, PROXY)):
        raise BadHeaderError(Reason.PROXY_MALFORMED)
    family, transport = (fixed[1] >> 4, fixed[1] & 0xF) if len(fixed) > 1 else (0, 0)
    if family >= len(_ADDRESSES) or transport > 2:
        raise BadHeaderError(Reason.PROXY_MALFORMED)
    if len(fixed) < 4:
        return None
    size = _FIXED + int.from_bytes(fixed[2:4])
    if size > MOST:
        raise BadHeaderError(Reason.PROXY_LONG)
    if command == PROXY and size - _FIXED < _ADDRESSES[family]:
        raise BadHeaderError(Reason.PROXY_MALFORMED)
    if len(data) < size:
        return None
    if command == LOCAL:  # the address block is to be skipped
        return Header(), size
    source, destination = None, None
    if transport == STREAM and family in (INET, INET6):
        source, destination = _places(family, data)
    return _with_vectors(source, destination, family, data[:size]), size


def _places(family: int, data: bytes) -> tuple[Place, Place]:
    length, kind = (4, AF_INET) if family == INET else (16, AF_INET6)
    hosts, ports = _FIXED + length, _FIXED + 2 * length
    source = inet_ntop(kind, data[_FIXED:hosts]), int.from_bytes(data[ports : ports + 2])
    return source, (
        inet_ntop(kind, data[hosts:ports]),
        int.from_bytes(data[ports + 2 : ports + 4]),
    )


def _with_vectors(
    source: Place | None, destination: Place | None, family: int, header: bytes
) -> Header:
    """Return what the complete `header` says beside its addresses. After an unspecified family the
    bytes need not be vectors.
    """
    values: dict[str, bytes] = {}
    checksum = None
    try:
        for kind, start, value in _vectors(header, _FIXED + _ADDRESSES[family]):
            if kind == CRC32C:
                if len(value) != 4 or checksum is not None:
                    raise BadHeaderError(Reason.PROXY_MALFORMED)
                checksum = start
            elif kind == UNIQUE_ID and len(value) > LONGEST_ID:
                raise BadHeaderError(Reason.PROXY_MALFORMED)
            elif kind in _FIELDS:
                values[_FIELDS[kind]] = value
    except BadHeaderError:
        if family != UNSPEC:
            raise
        return Header()
    if checksum is not None:
        told = int.from_bytes(header[checksum : checksum + 4])
        if told != crc32c(header[:checksum] + bytes(4) + header[checksum + 4 :]):
            raise BadHeaderError(Reason.PROXY_CRC)
    return Header(source, destination, **values)


def _vectors(header: bytes, place: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield type, place and value of each TLV from `place` on."""
    while place < len(header):
        start = place + 3
        end = start + int.from_bytes(header[place + 1 : start])
        if len(header) < max(start, end):
            raise BadHeaderError(Reason.PROXY_MALFORMED)
        yield header[place], start, header[start:end]
        place = end
