"""Sets of address ranges, made by netlink in a transaction of their own.

nft takes 45 ms for a set of 5,000 networks, most of it to read what it is told; the kernel takes
16. So large sets are made here, before the transaction of nft that leads clients through them. A
set that no rule refers to changes nothing. The structures are those of
include/uapi/linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, nullcontext, suppress
from struct import Struct

from ambassador.errors import PlaneError
from ambassador.model import Ranges
from ambassador.planes.kernel.entrance import Entrance
from ambassador.planes.kernel.layout import TABLE
from ambassador.planes.kernel.messages import CREATE, EXCLUSIVE, NEST, attribute
from ambassador.planes.kernel.netlink import NetlinkSocket
from ambassador.planes.kernel.owned import U32, request, text, whole
from ambassador.planes.kernel.watch import RulesetWatch

__all__ = ["elements", "interval_sets", "made_before"]

_NEW_SET, _DELETE_SET, _NEW_ELEMENTS = 9, 11, 12  # NFT_MSG_*
_INTERVAL = U32.pack(4)  # NFT_SET_INTERVAL
_TYPES = {4: 7, 16: 8}  # nft's numbers of ipv4_addr and ipv6_addr (enum datatypes of datatype.h)
_BIG_ENDIAN = Struct("=BBL").pack(0, 4, 2)  # as nft notes the byte order of keys (udata.h)
_END = attribute(3, U32.pack(1))  # NFTA_SET_ELEM_FLAGS: NFT_SET_ELEM_INTERVAL_END
_LARGEST = 65_000  # bytes of one list of elements: the length of an attribute has 16 bits
_SEND_FORCE = 32  # SO_SNDBUFFORCE
# SOL_NETLINK, NETLINK_CAP_ACK: an error does not bring back the request, which is as large as what
# one read takes.
_WITHOUT_REQUEST = 270, 10, 1
_NAMED = attribute(1, text(TABLE.split()[1]))  # NFTA_SET_TABLE, NFTA_SET_ELEM_LIST_TABLE


@asynccontextmanager
async def made_before(
    wanted: Collection[Entrance], watch: RulesetWatch | None
) -> AsyncIterator[frozenset[str]]:
    """Make the sets of `wanted`; yield the names of those that were made, perhaps none. They are
    removed again if what uses them fails. `watch` is told of it.
    """
    names = frozenset[str]()
    if wanted:
        async with watch.ours() if watch is not None else nullcontext():
            names = await asyncio.to_thread(_make, wanted)
    try:
        yield names
    except PlaneError:
        for name in names:
            async with watch.ours() if watch is not None else nullcontext():
                await asyncio.to_thread(_remove, name)
        raise


def _make(wanted: Collection[Entrance]) -> frozenset[str]:
    """Make the sets of `wanted`, all or none; return the names of those that were made. None is
    where the table is not there, or where this kernel takes no such transaction.
    """
    names = frozenset(one.set for one in wanted)
    return names if _done(lambda number: interval_sets(wanted, number)) else frozenset()


def _remove(name: str) -> None:
    """Remove the set, if it is there and no rule refers to it."""
    body = _NAMED + attribute(2, text(name))  # NFTA_SET_NAME
    _done(lambda number: whole([request(_DELETE_SET, body, number())]))


def interval_sets(wanted: Iterable[Entrance], number: Callable[[], int]) -> list[bytes]:
    """Return the transaction that makes the sets of `wanted`; `number` returns the next sequence
    number. Pure.
    """
    requests = []
    for place, entrance in enumerate(wanted, 1):
        size, name, known = 16 if entrance.ipv6 else 4, text(entrance.set), U32.pack(place)
        body = (
            attribute(2, name)  # NFTA_SET_NAME
            + attribute(3, _INTERVAL)  # NFTA_SET_FLAGS
            + attribute(4, U32.pack(_TYPES[size]))  # NFTA_SET_KEY_TYPE
            + attribute(5, U32.pack(size))  # NFTA_SET_KEY_LEN
            + attribute(10, known)  # NFTA_SET_ID
            + attribute(13, _BIG_ENDIAN)  # NFTA_SET_USERDATA
        )
        requests.append(request(_NEW_SET, _NAMED + body, number(), CREATE | EXCLUSIVE))
        for some in elements(entrance.ranges, size):
            # NFTA_SET_ELEM_LIST_SET, _SET_ID and _ELEMENTS
            body = attribute(2, name) + attribute(4, known) + attribute(NEST | 3, some)
            requests.append(request(_NEW_ELEMENTS, _NAMED + body, number(), CREATE))
    return whole(requests)


def elements(ranges: Ranges, size: int) -> Iterator[bytes]:
    """Yield lists of the elements of `ranges`, whose addresses have `size` bytes: one where each
    range begins, and one behind its end. Pure.
    """
    begin = _before(size, b"")
    end = _before(size, _END)
    beyond = 1 << 8 * size
    most = _LARGEST // (len(begin) + len(end) + len(_END) + 2 * size)
    firsts, lasts = ranges.firsts, ranges.lasts
    for place in range(0, len(firsts), most):
        pieces: list[bytes] = []
        for first, last in zip(
            firsts[place : place + most], lasts[place : place + most], strict=True
        ):
            pieces += begin, first.to_bytes(size)
            if last + 1 < beyond:  # else the range has no end
                pieces += end, (last + 1).to_bytes(size), _END
        yield b"".join(pieces)


def _before(size: int, flags: bytes) -> bytes:
    """Return what is before the address of an element, which is followed by `flags`."""
    value = attribute(1, bytes(size))  # NFTA_DATA_VALUE
    key = attribute(NEST | 1, value)  # NFTA_SET_ELEM_KEY
    return attribute(NEST | 1, key + flags)[: -size - len(flags)]  # NFTA_LIST_ELEM


def _done(transaction: Callable[[Callable[[], int]], list[bytes]]) -> bool:
    """Make `transaction`; tell whether the kernel has done it."""
    try:
        sock = NetlinkSocket()
        try:
            sock.sock.setsockopt(*_WITHOUT_REQUEST)
            requests = transaction(sock.sequence)
            room = sum(map(len, requests)) + 4096
            with suppress(OSError):  # in a user namespace; then SO_SNDBUF has to do
                sock.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
                sock.sock.setsockopt(socket.SOL_SOCKET, _SEND_FORCE, room)
            return not sock.transact(requests)
        finally:
            sock.close()
    except (OSError, PlaneError):  # nft says what is wrong
        return False
