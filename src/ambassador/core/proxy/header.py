"""What a PROXY header says, and the numbers of its second version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "ALPN", "AUTHORITY", "CRC32C", "INET", "INET6", "LINE", "LOCAL", "LONGEST_ID", "MOST", "PROXY",
    "SIGNATURE", "STREAM", "TLS", "TLS_NAME", "TLS_VERSION", "UNIQUE_ID", "UNIX", "UNSPEC",
    "VERSION", "Header", "Place",
]  # fmt: skip

Place: TypeAlias = tuple[str, int]  # an IP literal and a port

LINE = 107  # bytes of the longest header of version 1, with its end (section 2.1)
# The longest header of version 2 that is accepted, in bytes; nginx has the same limit. The format
# allows 65,551 bytes, and asks senders to stay within 536.
MOST = 4096
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
VERSION = 0x20
LOCAL, PROXY = 0, 1  # commands
UNSPEC, INET, INET6, UNIX = 0, 1, 2, 3  # families
STREAM = 1
ALPN, AUTHORITY, CRC32C, UNIQUE_ID, TLS = 0x01, 0x02, 0x03, 0x05, 0x20  # types of a TLV
TLS_VERSION, TLS_NAME = 0x21, 0x22  # types within TLS
LONGEST_ID = 128  # section 2.2.5


@dataclass(frozen=True, slots=True)
class Header:
    """The client at `source` that connected to `destination`. Where either is None, the addresses
    of the connection count: it is the sender's own connection (LOCAL), or the client is unknown.
    The other fields are as they were sent.
    """

    source: Place | None = None
    destination: Place | None = None
    alpn: bytes = b""
    authority: bytes = b""  # the host name that was asked for
    unique_id: bytes = b""
    tls: bytes = b""  # what the client had shown over TLS, with the name in its certificate
