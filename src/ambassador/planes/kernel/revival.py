"""Reads the event that an entry of connection tracking was deleted before its time, and makes the
request that makes the entry again. Pure.

The kernel deletes entries with their address, with their interface (masquerade of nft(8)), and by
`conntrack -F`.
The attributes are those of include/uapi/linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from socket import AF_INET, AF_INET6, inet_pton
from struct import Struct
from typing import NamedTuple

from ambassador.model import Proto
from ambassador.planes.kernel.entry import PROTOCOLS, PROTOINFO, STATUS, Address, Flow, label, parse
from ambassador.planes.kernel.layout import LABEL
from ambassador.planes.kernel.messages import NEST, attribute, attributes

__all__ = [
    "LENIENT",
    "LIVING",
    "TIMEOUT",
    "Vanished",
    "backwards",
    "both_ends",
    "lenient",
    "living",
    "read",
    "request",
    "tuple_of",
]

_ORIG, _REPLY, _NAT_SRC, TIMEOUT, _MARK, _NAT_DST, _LABELS = 1, 2, 6, 7, 8, 13, 22  # CTA_*
_CONFIRMED, _SEEN_REPLY, _ASSURED = 1 << 3, 1 << 1, 1 << 2  # IPS_*
# States of a TCP connection that goes on: ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK.
LIVING = (3, 4, 5, 6)
# The windows of both sides are not known: segments that conntrack would find out of them pass, as
# do selective acknowledgements (IP_CT_TCP_FLAG_BE_LIBERAL, _SACK_PERM). Conntrack takes the windows
# from the next segments.
LENIENT = 0x0A
_U16, _U32 = Struct(">H"), Struct(">L")


class Vanished(NamedTuple):
    """A flow whose entry was deleted, with the facts of the entry."""

    flow: Flow
    state: int  # of a TCP connection; 0 for UDP
    seconds: int  # for which it would have stayed without a packet
    status: int
    mark: int


def read(data: bytes, begin: int, end: int) -> Vanished | None:
    """Return the flow that vanished, from the attributes of the event that its entry was deleted;
    None where the flow was over, or the time of the entry was.
    """
    flow = parse(data, begin, end)
    state = None if flow is None else living(data, begin, end, flow.proto)
    if flow is None or state is None:
        return None
    found = attributes(data, begin, end)
    return Vanished(
        flow,
        state,
        _U32.unpack_from(data, found[TIMEOUT][0])[0],
        _U32.unpack_from(data, found[STATUS][0])[0],
        _U32.unpack_from(data, found[_MARK][0])[0] if _MARK in found else 0,
    )


def living(data: bytes, begin: int, end: int, proto: Proto) -> int | None:
    """Return the state of TCP (0 for UDP) in which a deleted entry was; None where the flow was
    over, or the time of the entry was.
    """
    found = attributes(data, begin, end)
    if TIMEOUT not in found:
        return None
    if proto is not Proto.TCP:
        return 0
    # CTA_PROTOINFO_TCP and CTA_PROTOINFO_TCP_STATE; Linux 5.11 and newer tell it.
    if PROTOINFO not in found:
        return None
    tcp = attributes(data, *attributes(data, *found[PROTOINFO])[1])
    state = data[tcp[1][0]]
    return state if state in LIVING else None


def request(gone: Vanished) -> bytes:
    """Return the attributes of a request that makes the entry again (IPCTNL_MSG_CT_NEW)."""
    flow = gone.flow
    number = PROTOCOLS[flow.proto]
    status = _CONFIRMED | gone.status & (_SEEN_REPLY | _ASSURED)
    body = (
        attribute(NEST | _ORIG, both_ends(number, flow.client, flow.listen))
        # Without translation here: the kernel changes it by the two attributes that follow.
        + attribute(NEST | _REPLY, both_ends(number, flow.listen, flow.client))
        + attribute(NEST | _NAT_DST, _range(flow.upstream))
        + attribute(NEST | _NAT_SRC, _range(flow.nat))
        + attribute(STATUS, _U32.pack(status))
        + attribute(TIMEOUT, _U32.pack(gone.seconds))
        + attribute(_LABELS, label(LABEL))
    )
    if gone.mark:
        body += attribute(_MARK, _U32.pack(gone.mark))
    if gone.state:
        # CTA_PROTOINFO_TCP_STATE, _FLAGS_ORIGINAL and _FLAGS_REPLY
        lenient = bytes([LENIENT, LENIENT])  # the flags, and the mask
        tcp = attribute(1, bytes([gone.state])) + attribute(4, lenient) + attribute(5, lenient)
        body += attribute(NEST | PROTOINFO, attribute(NEST | 1, tcp))
    return body


def backwards(flow: Flow) -> bytes:
    """Return the attributes that name the entry made by packets of its upstream alone."""
    return attribute(NEST | _ORIG, both_ends(PROTOCOLS[flow.proto], flow.upstream, flow.nat))


def tuple_of(source: Address, destination: Address) -> bytes:
    """Return the attributes that name the entry to which a TCP segment belongs, in either
    direction.
    """
    return attribute(NEST | _ORIG, both_ends(PROTOCOLS[Proto.TCP], source, destination))


def lenient() -> bytes:
    """Return the attributes by which conntrack accepts segments out of the window, in either
    direction, for an entry of a TCP connection (IP_CT_TCP_FLAG_BE_LIBERAL).
    """
    flag = bytes([LENIENT & 8] * 2)
    tcp = attribute(4, flag) + attribute(5, flag)
    return attribute(NEST | PROTOINFO, attribute(NEST | 1, tcp))


def both_ends(number: int, source: Address, destination: Address) -> bytes:
    """Return the attributes of a tuple, for the protocol of this number."""
    # CTA_TUPLE_IP with CTA_IP_V4_SRC and _DST, or CTA_IP_V6_SRC and _DST; CTA_TUPLE_PROTO with
    # CTA_PROTO_NUM, _SRC_PORT and _DST_PORT
    first = 3 if ":" in source[0] else 1
    addresses = attribute(first, _packed(source)) + attribute(first + 1, _packed(destination))
    ports = [bytes([number]), _U16.pack(source[1]), _U16.pack(destination[1])]
    return attribute(NEST | 1, addresses) + attribute(NEST | 2, _numbered(ports))


def _range(to: Address) -> bytes:
    # CTA_NAT_V4_MINIP and _MAXIP, or CTA_NAT_V6_MINIP and _MAXIP; CTA_NAT_PROTO with
    # CTA_PROTONAT_PORT_MIN and _MAX
    first = 4 if ":" in to[0] else 1
    addresses = attribute(first, _packed(to)) + attribute(first + 1, _packed(to))
    return addresses + attribute(NEST | 3, _numbered([_U16.pack(to[1])] * 2))


def _numbered(values: Sequence[bytes]) -> bytes:
    return b"".join(attribute(kind, value) for kind, value in enumerate(values, 1))


def _packed(address: Address) -> bytes:
    return inet_pton(AF_INET6 if ":" in address[0] else AF_INET, address[0])
