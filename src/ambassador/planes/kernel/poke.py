"""Make both peers of a deleted flow find out that it is over.

An established peer answers a segment that does not fit with an ACK of its own numbers (RFC 5961
sections 3 to 5). Nothing translates that answer any longer, so it meets our own TCP, which knows
no such connection and answers with a reset of exactly those numbers: the peer believes it. A
connection that is still translated only sees a segment that does not fit, and goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from itertools import product
from struct import Struct
from typing import NamedTuple

from ambassador.errors import PlaneError
from ambassador.planes.kernel.entry import Flow
from ambassador.planes.kernel.marks import ENTERED_MARK, FIRST_MARK, MARK, TRACKED_MARK

__all__ = ["Poke", "Poker", "segment"]

# The kernel answers for both peers within the call, 50 us each where they are on this host: more
# flows are seen to in two threads, the clients in one and the upstreams in the other.
_FEW = 20

_SYN, _ACK = 0x02, 0x10  # RFC 9293, section 3.1
_IP4 = Struct(">BBHHHBBH4s4s")  # RFC 791, section 3.1
_IP6 = Struct(">LHBB16s16s")  # RFC 8200, section 3
_TCP = Struct(">HHLLBBHHH")
_PSEUDO = Struct(">LL").pack(_TCP.size, socket.IPPROTO_TCP)
_HOPS = 64
_MARKS = (MARK, FIRST_MARK, TRACKED_MARK, ENTERED_MARK)


class Poke(Enum):
    """Which segments to send: (flags to the client, flags to the upstream).

    HANDSHAKE passes stateful filters and address translation on the way. A socket answers such a
    segment at most once in 500 ms, and older kernels only a few SYNs a second for a whole host,
    hence PLAIN.
    """

    HANDSHAKE = (_SYN | _ACK, _SYN)
    PLAIN = (_ACK, _ACK)


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
        """Release the descriptors."""
        for raw in self._sockets.values():
            raw.close()
        self._sockets.clear()

    async def poke(self, flows: Iterable[Flow], poke: Poke, mark: int = MARK) -> None:
        """Poke both peers of each of `flows`, whose entries have been deleted.

        `mark` is FIRST_MARK for the first time. Where an entry stands it says so: TRACKED_MARK for
        the flow's own (a SYN that is tracked too would become a connection of its own),
        ENTERED_MARK for those that stand for a cut.
        """
        known = [(one, raw) for one in flows if (raw := self._sockets.get((one.family, mark)))]
        to_client, to_upstream = poke.value
        clients = [_Segment(raw, one.listen, one.client, to_client) for one, raw in known]
        upstreams = [_Segment(raw, one.nat, one.upstream, to_upstream) for one, raw in known]
        if len(known) <= _FEW:
            _send_all((*clients, *upstreams))
        else:
            sides = clients, upstreams
            await asyncio.gather(*(asyncio.to_thread(_send_all, side) for side in sides))


class _Segment(NamedTuple):
    by: socket.socket
    source: tuple[str, int]
    destination: tuple[str, int]
    flags: int


def _send_all(segments: Iterable[_Segment]) -> None:
    for one in segments:
        _send(one.by, one.by.family, one.source, one.destination, one.flags)


def _send(
    raw: socket.socket,
    family: int,
    source: tuple[str, int],
    destination: tuple[str, int],
    flags: int,
) -> None:
    # A full device queue, or no route any longer: the repetition, or the peer's own next segment,
    # does the rest.
    with contextlib.suppress(OSError):
        raw.sendto(segment(family, source, destination, flags), (destination[0], 0))


def segment(
    family: int,
    source: tuple[str, int],
    destination: tuple[str, int],
    flags: int,
    numbers: tuple[int, int] | None = None,
) -> bytes:
    """Return an IP packet with an empty TCP segment, of these sequence and acknowledgment numbers,
    or of some that are drawn by lot.
    """
    addresses = _packed(family, source[0]), _packed(family, destination[0])
    sequence, acknowledged = numbers or (random.getrandbits(32), random.getrandbits(32))
    if not flags & _ACK:
        acknowledged = 0
    fields = (source[1], destination[1], sequence, acknowledged, _TCP.size << 2, flags, 1024)
    checksum = _checksum(b"".join((*addresses, _PSEUDO, _TCP.pack(*fields, 0, 0))))
    tcp = _TCP.pack(*fields, checksum, 0)
    if family == socket.AF_INET6:
        return _IP6.pack(6 << 28, len(tcp), socket.IPPROTO_TCP, _HOPS, *addresses) + tcp
    # The kernel fills in length, identification and checksum (raw(7)).
    header = (0x45, 0, 0, 0, 0, _HOPS, socket.IPPROTO_TCP, 0)
    return _IP4.pack(*header, *addresses) + tcp


def _checksum(data: bytes) -> int:
    """Return the Internet checksum of an even number of bytes (RFC 1071)."""
    # The sum of the digits to the base 65536, modulo 65535, is the number itself modulo that.
    return 0xFFFF - int.from_bytes(data, "big") % 0xFFFF


@lru_cache(1024)
def _packed(family: int, address: str) -> bytes:
    return socket.inet_pton(family, address)
