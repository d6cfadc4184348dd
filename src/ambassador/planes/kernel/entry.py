"""One entry of the kernel's connection tracking, as ctnetlink writes it. Pure.

The attributes are those of include/uapi/linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

from enum import Enum
from socket import AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, inet_ntop
from struct import Struct, calcsize
from struct import error as struct_error
from sys import byteorder
from typing import NamedTuple

from ambassador.model import Proto, Reason
from ambassador.planes.kernel.layout import LABEL
from ambassador.planes.kernel.messages import NEST, attribute, attributes

__all__ = [
    "DST_NAT",
    "PROTOCOLS",
    "PROTOINFO",
    "STATUS",
    "TCP_OVER",
    "Address",
    "Flow",
    "FlowState",
    "ended_by",
    "label",
    "naming",
    "parse",
    "shown",
    "wanted",
]

# enum ctattr_type
_ORIG, _REPLY, STATUS, PROTOINFO = 1, 2, 3, 4
_COUNTERS_ORIG, _COUNTERS_REPLY, _ID, _ZONE, _TIMESTAMP, _LABELS = 9, 10, 12, 18, 20, 22
_FILTER, _STATUS_MASK = 25, 26
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_PROTO_NUM, _PROTO_SRC_PORT, _PROTO_DST_PORT = 1, 2, 3
_FILTER_ORIG = 1
# CTA_FILTER_F_CTA_PROTO_NUM and _DST_PORT (include/net/netfilter/nf_internals.h)
_BY_PROTO, _BY_DST_PORT = 1 << 3, 1 << 5
DST_NAT = 1 << 5  # IPS_DST_NAT
_SEEN_REPLY = 1 << 1  # IPS_SEEN_REPLY
# enum tcp_conntrack: SYN_SENT and SYN_SENT2, TIME_WAIT and CLOSE; from SYN_RECV on the client may
# have had its answer.
_TCP_CONNECTING, TCP_OVER = (1, 9), (7, 8)
_TIME_WAIT = 7
_CLOSE_INIT = 0x04  # IP_CT_TCP_FLAG_CLOSE_INIT: this side sent its FIN first

PROTOCOLS = {Proto.TCP: IPPROTO_TCP, Proto.UDP: IPPROTO_UDP}
_LONG = calcsize("l")
_U16, _U32, _U64 = Struct(">H"), Struct(">L"), Struct(">Q")
_NATIVE_U32 = Struct("=L")


def _usual(family: int, size: int) -> tuple[int, Struct, tuple[int, ...]]:
    """Return how the kernel writes a tuple without a zone, and the attribute headers in it: so each
    of the thousands of tuples in a dump is read by one call.
    """
    layout = Struct(f"=LL{size}sL{size}sLLB3xL2s2xL2s2x")
    first = 1 if family == AF_INET else 3  # CTA_IP_V4_SRC, CTA_IP_V6_SRC
    heads = (
        (4 + 2 * (4 + size), NEST | _TUPLE_IP),
        (4 + size, first),
        (4 + size, first + 1),
        (4 + 3 * 8, NEST | _TUPLE_PROTO),
        (4 + 1, _PROTO_NUM),
        (4 + 2, _PROTO_SRC_PORT),
        (4 + 2, _PROTO_DST_PORT),
    )
    return family, layout, tuple(_NATIVE_U32.unpack(Struct("=HH").pack(*h))[0] for h in heads)


_USUAL = (_usual(AF_INET, 4), _usual(AF_INET6, 16))
# Two numbers of 64 bits, as attributes 1 and 2: CTA_COUNTERS_PACKETS and _BYTES, or
# CTA_TIMESTAMP_START and _STOP. And the first attribute of the state of a connection.
_PAIR, _FIRST, _SECOND = Struct(">4sQ4sQ"), Struct("=HH").pack(12, 1), Struct("=HH").pack(12, 2)
_STATE_FIRST = Struct("=HH").pack(5, 1)  # CTA_PROTOINFO_TCP_STATE

Address = tuple[str, int]


class FlowState(Enum):
    """How far a flow has come."""

    CONNECTING = "connecting"  # its upstream has not answered yet
    ESTABLISHED = "established"
    OVER = "over"  # both sides have ended; the kernel keeps the entry for a while


class Flow(NamedTuple):
    """One entry of the kernel's table that leads from a listen address to an upstream."""

    id: int
    family: int  # AF_INET or AF_INET6
    proto: Proto
    client: Address
    listen: Address  # as the client dialled it
    nat: Address  # our side of the connection to the upstream
    upstream: Address
    state: FlowState
    packets_up: int  # to the upstream; 0 where the kernel does not count
    bytes_up: int
    packets_down: int  # to the client
    bytes_down: int
    began: float  # seconds since 1970; 0 where the kernel does not note it
    ended: float
    ours: bool  # our rules translated it; not known of a flow in an event
    key: bytes  # the attributes that name it in a request

    @property
    def established(self) -> bool:
        """Whether its upstream has answered and not both sides have ended."""
        return self.state is FlowState.ESTABLISHED


def wanted(proto: Proto, port: int, *, unanswered: bool = False) -> bytes:
    """Return the attributes of a request for a dump by which the kernel (5.8 and newer; the status:
    5.19) leaves out entries that are not of `proto` and `port` (0: any), and with `unanswered`
    entries that an upstream has answered. An older kernel does not leave them out.
    """
    number = bytes([PROTOCOLS[proto]])
    inner = attribute(_PROTO_NUM, number)
    flags = _BY_PROTO
    if port:
        inner += attribute(_PROTO_DST_PORT, _U16.pack(port))
        flags |= _BY_DST_PORT
    by = attribute(_FILTER_ORIG, _NATIVE_U32.pack(flags))
    mask = DST_NAT | _SEEN_REPLY if unanswered else DST_NAT
    return (
        attribute(NEST | _ORIG, attribute(NEST | _TUPLE_PROTO, inner))
        + attribute(NEST | _FILTER, by)
        + attribute(STATUS, _U32.pack(DST_NAT))
        + attribute(_STATUS_MASK, _U32.pack(mask))
    )


def naming(flow: Flow) -> bytes:
    """Return the attributes that name the entry of `flow`, and no later entry of the same ends."""
    return flow.key + attribute(_ID, _U32.pack(flow.id))


def parse(data: bytes, begin: int, end: int) -> Flow | None:
    """Return the flow that the attributes between `begin` and `end` describe; None when its
    destination is not translated, it is neither TCP nor UDP, or the attributes are not valid.
    """
    try:
        return _parse(data, begin, end)
    except (IndexError, KeyError, struct_error, ValueError):  # cut short, or of another kernel
        return None


def _parse(data: bytes, begin: int, end: int) -> Flow | None:
    found = attributes(data, begin, end)
    status = _U32.unpack_from(data, found[STATUS][0])[0] if STATUS in found else 0
    if not status & DST_NAT or _ORIG not in found or _REPLY not in found:
        return None
    number, client, listen = _ends(data, *found[_ORIG])
    _, upstream, nat = _ends(data, *found[_REPLY])
    if number == IPPROTO_TCP:
        proto = Proto.TCP
        state = _tcp_state(data, found)
    elif number == IPPROTO_UDP:
        proto = Proto.UDP
        answered = status & _SEEN_REPLY
        state = FlowState.ESTABLISHED if answered else FlowState.CONNECTING
    else:
        return None
    packets_up, bytes_up = _pair(data, found.get(_COUNTERS_ORIG))
    packets_down, bytes_down = _pair(data, found.get(_COUNTERS_REPLY))
    began, ended = _pair(data, found.get(_TIMESTAMP))
    key = data[found[_ORIG][0] - 4 : found[_ORIG][1]]
    if _ZONE in found:
        key += data[found[_ZONE][0] - 4 : found[_ZONE][1]] + bytes(2)
    return Flow(
        _U32.unpack_from(data, found[_ID][0])[0] if _ID in found else 0,
        AF_INET6 if ":" in client[0] else AF_INET,
        proto,
        client,
        listen,
        nat,
        upstream,
        state,
        packets_up,
        bytes_up,
        packets_down,
        bytes_down,
        began / 1e9,
        ended / 1e9,
        _has_label(data, found.get(_LABELS)),
        key,
    )


def _ends(data: bytes, begin: int, end: int) -> tuple[int, Address, Address]:
    """Return the protocol number, the source and the destination of a tuple."""
    for family, layout, headers in _USUAL:
        if end - begin == layout.size:
            h1, h2, source, h3, destination, h4, h5, number, h6, sport, h7, dport = (
                layout.unpack_from(data, begin)
            )
            if (h1, h2, h3, h4, h5, h6, h7) == headers:
                return (
                    number,
                    (inet_ntop(family, source), _U16.unpack(sport)[0]),
                    (inet_ntop(family, destination), _U16.unpack(dport)[0]),
                )
    return _unusual_ends(data, begin, end)


def _unusual_ends(data: bytes, begin: int, end: int) -> tuple[int, Address, Address]:
    parts = attributes(data, begin, end)
    addresses = attributes(data, *parts[_TUPLE_IP])
    # CTA_IP_V4_SRC and _DST are 1 and 2, CTA_IP_V6_SRC and _DST are 3 and 4.
    first = 1 if 1 in addresses else 3
    family = AF_INET if first == 1 else AF_INET6
    source, destination = (
        inet_ntop(family, data[slice(*addresses[kind])]) for kind in (first, first + 1)
    )
    ports = attributes(data, *parts[_TUPLE_PROTO])
    number = data[ports[_PROTO_NUM][0]]
    if _PROTO_SRC_PORT not in ports:
        return number, (source, 0), (destination, 0)
    return (
        number,
        (source, _U16.unpack_from(data, ports[_PROTO_SRC_PORT][0])[0]),
        (destination, _U16.unpack_from(data, ports[_PROTO_DST_PORT][0])[0]),
    )


def _tcp_state(data: bytes, found: dict[int, tuple[int, int]]) -> FlowState:
    if PROTOINFO not in found:  # the kernel leaves it out in the event of the end of a flow
        return FlowState.OVER
    begin, end = found[PROTOINFO]
    if end - begin > 8 and data[begin + 4 : begin + 8] == _STATE_FIRST:
        state = data[begin + 8]
    else:
        tcp = attributes(data, *attributes(data, begin, end)[1])  # CTA_PROTOINFO_TCP
        state = data[tcp[1][0]]  # CTA_PROTOINFO_TCP_STATE
    if state in _TCP_CONNECTING:
        return FlowState.CONNECTING
    return FlowState.OVER if state in TCP_OVER else FlowState.ESTABLISHED


def ended_by(data: bytes, begin: int, end: int) -> Reason:
    """Return which side ended the connection described between `begin` and `end`, which is over:
    the side that sent the first FIN; RESET where none was sent, UNKNOWN where this is not known.
    """
    try:
        tcp = attributes(data, *attributes(data, *attributes(data, begin, end)[PROTOINFO])[1])
        state = data[tcp[1][0]]
    except (IndexError, KeyError):  # left out, or cut short
        return Reason.UNKNOWN
    # CTA_PROTOINFO_TCP_FLAGS_ORIGINAL and _REPLY
    for kind, reason in ((4, Reason.CLIENT), (5, Reason.UPSTREAM)):
        if kind in tcp and data[tcp[kind][0]] & _CLOSE_INIT:
            return reason
    return Reason.UNKNOWN if state == _TIME_WAIT else Reason.RESET


def label(bit: int) -> bytes:
    """Return the label that has this bit alone: a bitmap of the machine's long words."""
    value = bytearray(16)
    word, rest = divmod(bit, _LONG * 8)
    value[word * _LONG : (word + 1) * _LONG] = (1 << rest).to_bytes(_LONG, byteorder)
    return bytes(value)


def _has_label(data: bytes, where: tuple[int, int] | None) -> bool:
    """Return whether the label of our rules is among those of a flow: a bitmap of the machine's
    long words.
    """
    if where is None:
        return False
    word, bit = divmod(LABEL, _LONG * 8)
    begin = where[0] + word * _LONG
    return bool(int.from_bytes(data[begin : begin + _LONG], byteorder) >> bit & 1)


def _pair(data: bytes, where: tuple[int, int] | None) -> tuple[int, int]:
    """Return the two numbers that are in one attribute, 0 for a missing one: packets and bytes, or
    the nanoseconds since 1970 of beginning and end.
    """
    if where is None:
        return 0, 0
    if where[1] - where[0] == _PAIR.size:
        head, one, next_head, other = _PAIR.unpack_from(data, where[0])
        if (head, next_head) == (_FIRST, _SECOND):
            return one, other
    found = attributes(data, *where)
    one, other = (
        _U64.unpack_from(data, found[kind][0])[0] if kind in found else 0 for kind in (1, 2)
    )
    return one, other


def shown(address: Address) -> str:
    """Return `10.0.0.2:6379`, or `[fd00::2]:6379`."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
