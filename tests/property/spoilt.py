"""What becomes of a message on its way."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import suppress
from random import Random

from ambassador.core.proxy.header import SIGNATURE, Header
from ambassador.core.proxy.writing import write

__all__ = ["HEADERS", "hellos", "spoilt"]

HEADERS = (
    b"PROXY TCP4 10.1.2.3 192.168.0.11 40312 443\r\n",
    b"PROXY TCP6 fd00::9 2001:db8::1 1 65535\r\n",
    b"PROXY UNKNOWN\r\n",
    write(2, Header(("10.1.2.3", 1), ("10.0.0.1", 2), b"h2", b"a.example", b"id", b"\1\0\0\0\0")),
    write(2, Header(("fd00::9", 1), ("fd00::1", 2))),
    write(2, Header()),
    SIGNATURE + b"\x21\x31\0\xd8" + bytes(216),
    SIGNATURE + b"\x20\0\0\0",
)
_CLEAR = (
    b"PING\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"PROXY UNKNOWN\r\n",
    b"\x16\x03\x01\0\0",
    b"\x80\x2e\1\3\1",
)


def hellos() -> list[bytes]:
    """Return what clients say first where TLS is spoken, and what others do."""
    newest = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    return [*_CLEAR, *(_hello(name, one) for name in ("a.example", None) for one in newest)]


def _hello(name: str | None, newest: ssl.TLSVersion) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.maximum_version = False, newest
    context.set_alpn_protocols(["ambassador/1"])
    out = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()


def spoilt(data: bytes, seeds: Sequence[bytes], chance: Random, least: bytes) -> bytes:
    """Return `data` with up to three mistakes, one of `seeds` behind its begin, or more behind it;
    `least` where nothing is left.
    """
    found = bytearray(data)
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(found))
        match chance.randrange(5):
            case 0:
                found[place] = chance.randrange(256)
            case 1:
                del found[place : place + chance.randrange(1, 9)]
            case 2:
                found[place:place] = chance.randbytes(chance.randrange(1, 9))
            case 3:
                found[place:] = chance.choice(seeds)
            case _:
                found += chance.randbytes(chance.randrange(1, 60))
        found = found or bytearray(least)
    return bytes(found)
