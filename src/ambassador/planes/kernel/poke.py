"""Poke both peers of a deleted flow, so that they find out that it is over.

To poke is to send a segment that does not fit into the connection: a peer whose connection is open
answers with an ACK of its own numbers (RFC 5961 sections 3 to 5). This answer is not translated any
longer, so it reaches our own TCP, which has no such connection and answers with a reset of exactly
these numbers: the peer accepts it. A connection that is still translated only gets a segment that
does not fit, and goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache
from itertools import product
from struct import Struct
from typing import NamedTuple

from ambassador.errors import PlaneError
from ambassador.planes.kernel.entry import Flow
from ambassador.planes.kernel.marks import ENTERED_MARK, FIRST_MARK, MARK, TRACKED_MARK

__all__ = ["Poke", "Poker", "Segments", "segment"]

# Peers on this host answer within the call, which takes 50 us each then. With more flows than this
# there are two threads, one for the clients and one for the upstreams.
_FEW = 20

_SYN, _ACK = 0x02, 0x10  # RFC 9293, section 3.1
_IP4 = Struct(">BBHHHBBH")  # RFC 791, section 3.1, up to the addresses
_IP6 = Struct(">LHBB")  # RFC 8200, section 3, up to the addresses
_TCP = Struct(">HHLLHHHH")
_WINDOW = 1024
_HOPS = 64
_MARKS = (MARK, FIRST_MARK, TRACKED_MARK, ENTERED_MARK)


class Poke(Enum):
    """Which segments to send: (flags to the client, flags to the upstream).

    HANDSHAKE gets through stateful filters and address translation between us and the peer. But a
    socket answers such a segment at most once in 500 ms, and older kernels answer only a few SYNs a
    second for a whole host: so there is PLAIN, too.
    """

    HANDSHAKE = (_SYN | _ACK, _SYN)
    PLAIN = (_ACK, _ACK)


_Segment = tuple[socket.socket, bytes, str]  # the socket to send it by, its bytes, and its host


class Segments(NamedTuple):
    """The segments for some flows: made before they are sent, as threads would only take turns."""

    clients: Sequence[_Segment]
    upstreams: Sequence[_Segment]


class Poker:
    """Sends segments of our own making. `open` raises PlaneError without CAP_NET_RAW."""

    def __init__(self) -> None:
        self._sockets: dict[tuple[int, int], socket.socket] = {}  # by family and mark

    def open(self) -> None:
        """Take the raw sockets; IPv6 only where the system has it."""
        for family, mark in product((socket.AF_INET, socket.AF_INET6), _MARKS):
            try:
                raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
                raw.setblocking(False)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            except PermissionError as error:
                self.close()
                raise PlaneError("CAP_NET_RAW is missing (docker run --cap-add NET_RAW)") from error
            except OSError as error:
                if family == socket.AF_INET:
                    raise PlaneError(f"raw socket: {os.strerror(error.errno or 0)}") from error
            else:
                self._sockets[family, mark] = raw

    def close(self) -> None:
        """Close the sockets."""
        for raw in self._sockets.values():
            raw.close()
        self._sockets.clear()

    async def poke(self, flows: Iterable[Flow], poke: Poke, mark: int = MARK) -> None:
        """Poke both peers of each of `flows`, whose entries have been deleted.

        `mark` is FIRST_MARK for the first time. It is TRACKED_MARK where the flow still has its own
        entry (a SYN that conntrack sees would become a connection of its own), and ENTERED_MARK
        where there are entries of cut_entry.py.
        """
        await self.send(self.segments(flows, poke, mark))

    def segments(self, flows: Iterable[Flow], poke: Poke, mark: int = MARK) -> Segments:
        """Return the segments that `poke` sends."""
        to_client, to_upstream = poke.value
        clients, upstreams = [], []
        for flow in flows:
            raw = self._sockets.get((flow.family, mark))
            if raw is not None:
                ends = flow.listen, flow.client
                clients.append((raw, segment(flow.family, *ends, to_client), flow.client[0]))
                ends = flow.nat, flow.upstream
                upstreams.append((raw, segment(flow.family, *ends, to_upstream), flow.upstream[0]))
        return Segments(clients, upstreams)

    async def send(self, segments: Segments) -> None:
        """Send segments that `segments` has returned."""
        if len(segments.clients) <= _FEW:
            _send_all((*segments.clients, *segments.upstreams))
        else:
            await asyncio.gather(*(asyncio.to_thread(_send_all, side) for side in segments))


def _send_all(segments: Iterable[_Segment]) -> None:
    for raw, packet, host in segments:
        # The device queue is full, or there is no route to the host: the next poke, or the peer's
        # own next segment, has the same effect.
        with contextlib.suppress(OSError):
            raw.sendto(packet, (host, 0))


def segment(
    family: int,
    source: tuple[str, int],
    destination: tuple[str, int],
    flags: int,
    numbers: tuple[int, int] | None = None,
) -> bytes:
    """Return an IP packet with an empty TCP segment, of these sequence and acknowledgment numbers,
    or of random ones.
    """
    begin, total = _head(family, source[0], destination[0])
    sequence, acknowledged = numbers or divmod(random.getrandbits(64), 1 << 32)
    if not flags & _ACK:
        acknowledged = 0
    about = _TCP.size << 10 | flags
    # The Internet checksum (RFC 1071): the sum of all digits to the base 65536, modulo 65535, is
    # the sum of the numbers themselves modulo that.
    total += source[1] + destination[1] + sequence + acknowledged + about + _WINDOW
    fields = source[1], destination[1], sequence, acknowledged, about, _WINDOW
    return begin + _TCP.pack(*fields, 0xFFFF - total % 0xFFFF, 0)


@lru_cache(1024)
def _head(family: int, source: str, destination: str) -> tuple[bytes, int]:
    """Return the header of IP, and its part of the sum for the checksum."""
    addresses = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    total = int.from_bytes(addresses, "big") + _TCP.size + socket.IPPROTO_TCP
    if family == socket.AF_INET6:
        header = _IP6.pack(6 << 28, _TCP.size, socket.IPPROTO_TCP, _HOPS)
    else:  # the kernel fills in length, identification and checksum (raw(7))
        header = _IP4.pack(0x45, 0, 0, 0, 0, _HOPS, socket.IPPROTO_TCP, 0)
    return header + addresses, total % 0xFFFF
