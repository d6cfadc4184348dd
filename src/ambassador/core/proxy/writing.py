"""A PROXY header to send: before a client's bytes, or before a probe's."""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_pton

from ambassador.core.proxy.crc32c import crc32c
from ambassador.core.proxy.header import (
    ALPN,
    AUTHORITY,
    CRC32C,
    INET,
    INET6,
    LOCAL,
    PROXY,
    SIGNATURE,
    STREAM,
    TLS,
    TLS_NAME,
    TLS_VERSION,
    UNIQUE_ID,
    VERSION,
    Header,
    Place,
)

__all__ = ["place_of", "tls_value", "write", "write_local"]

_MAPPED = "::ffff:"
_UNKNOWN = b"PROXY UNKNOWN\r\n"
_SHOWN = 0x01 | 0x02 | 0x04  # the client spoke TLS, and showed a certificate, now or before
_SPOKEN = 0x01


def place_of(address: object) -> Place | None:
    """Return the IP literal and the port of an address from accept(2) or getsockname(2), without a
    zone, an IPv4-mapped address as IPv4; None for the address of a unix socket.
    """
    if not isinstance(address, tuple):
        return None
    host, port = str(address[0]).partition("%")[0], int(address[1])
    if host.startswith(_MAPPED) and "." in host:
        host = host.removeprefix(_MAPPED)
    return host, port


def write(version: int, header: Header) -> bytes:
    """Return `header` in the format of `version` (1 or 2); version 1 has room for the addresses
    only.
    """
    if version == 1:
        return _line(header.source, header.destination)
    vectors = [
        (ALPN, header.alpn),
        (AUTHORITY, header.authority),
        (UNIQUE_ID, header.unique_id),
        (TLS, header.tls),
    ]
    family, addresses = _addresses(header.source, header.destination)
    said = b"".join(_vector(kind, value) for kind, value in vectors if value)
    said += _vector(CRC32C, bytes(4))
    fixed = SIGNATURE + bytes((VERSION | PROXY, family))
    length = len(addresses) + len(said)
    whole = fixed + length.to_bytes(2) + addresses + said
    return whole[:-4] + crc32c(whole).to_bytes(4)


def write_local(version: int, own: object, peer: object) -> bytes:
    """Return the header of a connection without a client, a probe's. Version 1 has no word for
    that: it names the connection's own ends (section 2.1), as getsockname(2) and getpeername(2)
    return them.
    """
    if version == 1:
        return _line(place_of(own), place_of(peer))
    return SIGNATURE + bytes((VERSION | LOCAL, 0, 0, 0))


def tls_value(version: str, identity: str = "") -> bytes:
    """Return the value that describes a client with TLS of `version` ("TLSv1.3"), which has proved
    to be `identity`, where it has shown a certificate (section 2.2.6).
    """
    flags = bytes((_SHOWN if identity else _SPOKEN,))
    verified = (0 if identity else 1).to_bytes(4)
    name = _vector(TLS_NAME, identity.encode("utf-8", "replace")) if identity else b""
    return flags + verified + _vector(TLS_VERSION, version.encode("ascii", "replace")) + name


def _line(source: Place | None, destination: Place | None) -> bytes:
    if source is None or destination is None or _family(source) != _family(destination):
        return _UNKNOWN
    word = "TCP6" if ":" in source[0] else "TCP4"
    return f"PROXY {word} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


def _addresses(source: Place | None, destination: Place | None) -> tuple[int, bytes]:
    """Return the byte of family and transport, and the addresses."""
    if source is None or destination is None or _family(source) != _family(destination):
        return 0, b""
    kind = _family(source)
    packed = b"".join(inet_pton(kind, host) for host, _ in (source, destination))
    ports = source[1].to_bytes(2) + destination[1].to_bytes(2)
    return (INET if kind == AF_INET else INET6) << 4 | STREAM, packed + ports


def _family(place: Place) -> int:
    return AF_INET6 if ":" in place[0] else AF_INET


def _vector(kind: int, value: bytes) -> bytes:
    return bytes((kind,)) + len(value).to_bytes(2) + value
