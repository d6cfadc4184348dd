"""Messages of netlink to netfilter, as far as connection tracking needs them. Pure.

A message is a header, a family header and attributes (kernel documentation, "Introduction to
Netlink"; include/uapi/linux/netlink.h and netfilter/nfnetlink.h). Lengths and types are in the
byte order of the machine, the values of netfilter inside in that of the network. Written here
because to import the common library takes 200 ms and 22 MB.
"""

from __future__ import annotations

from collections.abc import Iterator
from socket import htons
from struct import Struct

__all__ = [
    "ACK",
    "ATTRIBUTES",
    "CREATE",
    "DUMP",
    "EXCLUSIVE",
    "NEST",
    "attribute",
    "attributes",
    "message",
    "messages",
    "outcome",
]

REQUEST, ACK, EXCLUSIVE, DUMP, CREATE = 1, 4, 0x200, 0x300, 0x400  # NLM_F_*
NEST = 0x8000  # NLA_F_NESTED
_TYPE_MASK = 0x3FFF  # NLA_TYPE_MASK
_ERROR, _DONE = 2, 3  # NLMSG_*

_HEADER = Struct("=LHHLL")  # length, type, flags, sequence number, port
_FAMILY = Struct("=BBH")  # family, version, resource id
_ATTRIBUTE = Struct("=HH")  # length, type
_STATUS = Struct("=i")
ATTRIBUTES = _HEADER.size + _FAMILY.size  # where the attributes of the first message begin


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(
    kind: int, flags: int, sequence: int, family: int, body: bytes, *, resource: int = 0
) -> bytes:
    """Return a request of message type `kind` of netfilter for an address `family`; `resource`: the
    subsystem that a batch is for.
    """
    length = _HEADER.size + _FAMILY.size + len(body)
    return (
        _HEADER.pack(length, kind, REQUEST | flags, sequence, 0)
        + _FAMILY.pack(family, 0, htons(resource))
        + body
    )


def messages(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield (type, sequence number, begin, end) of each message; between begin and end stand
    its attributes (for NLMSG_ERROR and NLMSG_DONE: what follows the netlink header).

    A message with an impossible length (less than its headers, or more than there is) ends the
    piece, since the next one cannot be found (NLMSG_OK in include/uapi/linux/netlink.h).
    """
    position, total = 0, len(data)
    while position + _HEADER.size <= total:
        length, kind, _, sequence, _ = _HEADER.unpack_from(data, position)
        begin, end = position + _HEADER.size, position + length
        if not begin + _FAMILY.size <= end <= total:  # as much as _STATUS has
            return
        yield kind, sequence, begin if kind in (_ERROR, _DONE) else begin + _FAMILY.size, end
        position += (length + 3) & ~3


def attributes(data: bytes, begin: int, end: int) -> dict[int, tuple[int, int]]:
    """Return begin and end of the value of each attribute between `begin` and `end`, by its type.

    An attribute with an impossible length ends the list (NLA_OK in include/uapi/linux/netlink.h).
    """
    found = {}
    while begin + _ATTRIBUTE.size <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, begin)
        if not _ATTRIBUTE.size <= length <= end - begin:
            break
        found[kind & _TYPE_MASK] = (begin + 4, begin + length)
        begin += (length + 3) & ~3
    return found


def outcome(data: bytes, kind: int, begin: int) -> int | None:
    """Return the error number (0: done) that a message has; None when it has none."""
    if kind not in (_ERROR, _DONE):
        return None
    status: int = _STATUS.unpack_from(data, begin)[0]
    return -status
