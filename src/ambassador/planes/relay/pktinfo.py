"""Which of this host's addresses a datagram was sent to, and how to answer from it.

A socket bound to every address would answer from the address that the routing table chooses, and a
client that sent to another address would ignore the answer (ip(7) IP_PKTINFO, ipv6(7) and RFC 3542
section 6).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

__all__ = ["SPACE", "Ancillary", "ask", "origin"]

Ancillary = Sequence[tuple[int, int, bytes]]

# Python's socket module names neither of these of Linux (linux/in.h, linux/in6.h).
_IP_PKTINFO = 8
_IPV6_RECVPKTINFO, _IPV6_PKTINFO = 49, 50

_IN_PKTINFO = struct.Struct("=i4s4s")  # interface, our address, address in the header
_IN6_PKTINFO = struct.Struct("=16si")  # address (v4-mapped for IPv4), interface
SPACE = socket.CMSG_SPACE(_IN6_PKTINFO.size)


def ask(sock: socket.socket) -> int:
    """Have the local address of each datagram come with it; return the bytes that this needs.

    A socket bound to one address needs none: 0.
    """
    if sock.getsockname()[0] not in ("::", "0.0.0.0"):
        return 0
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    return SPACE


def origin(ancillary: Ancillary) -> Ancillary:
    """Return what to send along with the answer to a datagram that came with `ancillary`.

    It names no interface: the routing table chooses it for the answer.
    """
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IPV6 and kind == _IPV6_PKTINFO:
            return ((level, kind, data[:16] + bytes(4)),)
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return ((level, kind, bytes(4) + data[4:8] + bytes(4)),)
    return ()
