"""The flows that the kernel forwards: list, delete, and hear of them.

Speaks ctnetlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h) by way of `netlink`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum
from struct import Struct, calcsize
from sys import byteorder
from time import monotonic
from typing import NamedTuple

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.model import Proto
from ambassador.planes.kernel.layout import LABEL
from ambassador.planes.kernel.netlink import (
    ACK,
    NEST,
    NetlinkSocket,
    attribute,
    attributes,
    message,
    messages,
)

__all__ = ["Conntrack", "Flow", "FlowEvent", "FlowState", "parse"]

_SUBSYSTEM = 1 << 8  # NFNL_SUBSYS_CTNETLINK
_NEW, _GET, _DELETE = _SUBSYSTEM, _SUBSYSTEM | 1, _SUBSYSTEM | 2  # IPCTNL_MSG_CT_*
_GROUP_NEW, _GROUP_DESTROY = 1, 3  # NFNLGRP_CONNTRACK_*

# enum ctattr_type
_ORIG, _REPLY, _STATUS, _PROTOINFO = 1, 2, 3, 4
_COUNTERS_ORIG, _COUNTERS_REPLY, _ID, _ZONE, _TIMESTAMP, _LABELS = 9, 10, 12, 18, 20, 22
_FILTER, _STATUS_MASK = 25, 26
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_PROTO_NUM, _PROTO_SRC_PORT, _PROTO_DST_PORT = 1, 2, 3
_FILTER_ORIG = 1
# CTA_FILTER_F_CTA_PROTO_NUM and _DST_PORT (include/net/netfilter/nf_internals.h)
_BY_PROTO, _BY_DST_PORT = 1 << 3, 1 << 5
_DST_NAT = 1 << 5  # IPS_DST_NAT
_SEEN_REPLY = 1 << 1  # IPS_SEEN_REPLY
# enum tcp_conntrack: SYN_SENT and SYN_SENT2, TIME_WAIT and CLOSE; from SYN_RECV on the client may
# have had its answer.
_TCP_CONNECTING, _TCP_OVER = (1, 9), (7, 8)

_PROTOCOLS = {Proto.TCP: socket.IPPROTO_TCP, Proto.UDP: socket.IPPROTO_UDP}
_LONG = calcsize("l")
_U16, _U32, _U64 = Struct(">H"), Struct(">L"), Struct(">Q")

# The kernel (6.18) does not filter both families at once.
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
# One walk through the table a port (8 ms for 262,144 buckets, however empty); beyond that, one
# walk through all of the protocol.
_MOST_WALKS = 8
_BATCH = 100  # deletions in one piece: about 1 ms of the kernel's time
# Seconds of parsing before other work of the loop has its turn. Not by the loop's clock: uvloop
# reads it once a turn.
_SLICE = 0.002
_EVENT_BUFFER = 4 << 20  # 20,000 flows that end at once

Address = tuple[str, int]


class FlowState(Enum):
    """How far a flow has come."""

    CONNECTING = "connecting"  # its upstream has not answered yet
    ESTABLISHED = "established"
    OVER = "over"  # both sides have ended; the kernel keeps the entry for a while


class Flow(NamedTuple):
    """One entry of the kernel's table that leads from a listen address to an upstream."""

    id: int
    family: int  # socket.AF_INET or AF_INET6
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
    ours: bool  # our rules translated it; not told with events
    key: bytes  # what names it in a request

    @property
    def established(self) -> bool:
        """Whether its upstream has answered and not both sides have ended."""
        return self.state is FlowState.ESTABLISHED


class FlowEvent(Enum):
    """What the kernel tells of a flow."""

    NEW = "new"
    ENDED = "ended"


class Conntrack:
    """Access to the table of the network namespace this process is in.

    `open` first; everything raises PlaneError where the kernel refuses.
    """

    def __init__(self) -> None:
        self._socket: NetlinkSocket | None = None
        self._events: NetlinkSocket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._said_overrun = False

    def open(self) -> None:
        """Take the descriptor that requests need."""
        if self._socket is None:
            self._socket = NetlinkSocket()

    def close(self) -> None:
        """Release everything; nothing is told any longer."""
        if self._events is not None and self._loop is not None:
            self._loop.remove_reader(self._events.sock.fileno())
            self._events.close()
            self._events = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def flows(
        self, proto: Proto, ports: Collection[int], families: Iterable[int] = _FAMILIES
    ) -> list[Flow]:
        """Return the flows that our rules translated, whose clients dialled one of `ports` and
        that are not over.

        The kernel walks its table in a thread; what it says is read in slices, so that the loop
        does not stand still however many there are.
        """
        wanted = frozenset(ports)
        pieces = await asyncio.to_thread(_dump, proto, wanted, families)
        found: list[Flow] = []
        pause = monotonic() + _SLICE
        for piece in pieces:
            for kind, _, begin, end in messages(piece):
                flow = parse(piece, begin, end) if kind == _NEW else None
                if flow is None or not flow.ours or flow.state is FlowState.OVER:
                    continue
                if flow.proto is proto and flow.listen[1] in wanted:
                    found.append(flow)
            if monotonic() > pause:
                await asyncio.sleep(0)
                pause = monotonic() + _SLICE
        return found

    async def delete(self, flows: Sequence[Flow]) -> int:
        """Delete the entries of `flows`; return how many there were (some may have ended)."""
        deleted = 0
        for first in range(0, len(flows), _BATCH):
            batch = flows[first : first + _BATCH]
            deleted += len(batch) - self._delete(batch)
            await asyncio.sleep(0)
        return deleted

    def events(self, callback: Callable[[FlowEvent, Flow], None]) -> None:
        """Call `callback` on the running loop's thread for each translated flow that begins or
        ends from now on. The kernel tells the end of a flow only if somebody listened when it
        began, and of a TCP connection up to 120 s after its last packet (TIME_WAIT).
        """
        self._loop = asyncio.get_running_loop()
        events = NetlinkSocket((_GROUP_NEW, _GROUP_DESTROY), _EVENT_BUFFER)
        events.sock.setblocking(False)
        self._events = events
        self._loop.add_reader(events.sock.fileno(), self._hear, events, callback)

    def _hear(self, events: NetlinkSocket, callback: Callable[[FlowEvent, Flow], None]) -> None:
        try:
            data = events.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            if not self._said_overrun:
                self._said_overrun = True
                log.event(
                    log.WARNING,
                    "flow_events_lost",
                    "more flows begin and end than can be logged; some have no line",
                )
            return
        for kind, _, begin, end in messages(data):
            event = {_NEW: FlowEvent.NEW, _DELETE: FlowEvent.ENDED}.get(kind)
            if event and (flow := parse(data, begin, end)) is not None:
                callback(event, flow)

    def _delete(self, flows: Sequence[Flow]) -> int:
        """Delete the entries of `flows` and return how many were gone already."""
        if self._socket is None:
            raise PlaneError("conntrack is not open")
        requests = []
        for place, flow in enumerate(flows):
            flags = ACK if place == len(flows) - 1 else 0
            body = flow.key + attribute(_ID, _U32.pack(flow.id))
            number = self._socket.sequence()
            requests.append(message(_DELETE, flags, number, flow.family, body))
        errors = self._socket.perform(requests)
        for error in errors:
            if error not in (errno.ENOENT, errno.ESTALE):
                raise PlaneError(f"conntrack: cannot delete: {os.strerror(error).lower()}")
        return len(errors)


def _dump(proto: Proto, ports: Collection[int], families: Iterable[int]) -> list[bytes]:
    wanted = list(ports) if len(ports) <= _MOST_WALKS else [0]
    # Its own, so that a dump nobody waits for any longer takes no other request's answer.
    dumping = NetlinkSocket()
    try:
        return [
            piece
            for family in families
            for port in wanted
            for piece in dumping.dump(_GET, family, _filter(proto, port))
        ]
    finally:
        dumping.close()


def _filter(proto: Proto, port: int) -> bytes:
    """Return the attributes that let the kernel (5.8 and newer; the status 5.19) leave out what
    is not of `proto` and, unless 0, `port`. An older one returns more, which is left out here.
    """
    number = bytes([_PROTOCOLS[proto]])
    inner = attribute(_PROTO_NUM, number)
    flags = _BY_PROTO
    if port:
        inner += attribute(_PROTO_DST_PORT, _U16.pack(port))
        flags |= _BY_DST_PORT
    wanted = attribute(NEST | _TUPLE_PROTO, inner)
    by = attribute(_FILTER_ORIG, Struct("=L").pack(flags))
    return (
        attribute(NEST | _ORIG, wanted)
        + attribute(NEST | _FILTER, by)
        + attribute(_STATUS, _U32.pack(_DST_NAT))
        + attribute(_STATUS_MASK, _U32.pack(_DST_NAT))
    )


def parse(data: bytes, begin: int, end: int) -> Flow | None:
    """Return the flow that the attributes between `begin` and `end` describe; None when its
    destination is not translated, or it is neither TCP nor UDP.
    """
    found = attributes(data, begin, end)
    status = _U32.unpack_from(data, found[_STATUS][0])[0] if _STATUS in found else 0
    if not status & _DST_NAT or _ORIG not in found or _REPLY not in found:
        return None
    number, client, listen = _ends(data, *found[_ORIG])
    _, upstream, nat = _ends(data, *found[_REPLY])
    if number == socket.IPPROTO_TCP:
        proto = Proto.TCP
        state = _tcp_state(data, found)
    elif number == socket.IPPROTO_UDP:
        proto = Proto.UDP
        answered = status & _SEEN_REPLY
        state = FlowState.ESTABLISHED if answered else FlowState.CONNECTING
    else:
        return None
    packets_up, bytes_up = _counters(data, found.get(_COUNTERS_ORIG))
    packets_down, bytes_down = _counters(data, found.get(_COUNTERS_REPLY))
    began, ended = _times(data, found.get(_TIMESTAMP))
    key = data[found[_ORIG][0] - 4 : found[_ORIG][1]]
    if _ZONE in found:
        key += data[found[_ZONE][0] - 4 : found[_ZONE][1]] + bytes(2)
    return Flow(
        _U32.unpack_from(data, found[_ID][0])[0] if _ID in found else 0,
        socket.AF_INET6 if ":" in client[0] else socket.AF_INET,
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
        began,
        ended,
        _has_label(data, found.get(_LABELS)),
        key,
    )


def _ends(data: bytes, begin: int, end: int) -> tuple[int, Address, Address]:
    """Return the protocol number, the source and the destination of a tuple."""
    parts = attributes(data, begin, end)
    addresses = attributes(data, *parts[_TUPLE_IP])
    # CTA_IP_V4_SRC and _DST are 1 and 2, CTA_IP_V6_SRC and _DST are 3 and 4.
    first = 1 if 1 in addresses else 3
    family = socket.AF_INET if first == 1 else socket.AF_INET6
    source, destination = (
        socket.inet_ntop(family, data[slice(*addresses[kind])]) for kind in (first, first + 1)
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
    if _PROTOINFO not in found:  # the kernel leaves it out when it tells the end of a flow
        return FlowState.OVER
    tcp = attributes(data, *attributes(data, *found[_PROTOINFO])[1])  # CTA_PROTOINFO_TCP
    state = data[tcp[1][0]]  # CTA_PROTOINFO_TCP_STATE
    if state in _TCP_CONNECTING:
        return FlowState.CONNECTING
    return FlowState.OVER if state in _TCP_OVER else FlowState.ESTABLISHED


def _has_label(data: bytes, where: tuple[int, int] | None) -> bool:
    """Return whether the label of our rules is among those of a flow: a bitmap of the machine's
    long words.
    """
    if where is None:
        return False
    word, bit = divmod(LABEL, _LONG * 8)
    begin = where[0] + word * _LONG
    return bool(int.from_bytes(data[begin : begin + _LONG], byteorder) >> bit & 1)


def _counters(data: bytes, where: tuple[int, int] | None) -> tuple[int, int]:
    if where is None:
        return 0, 0
    found = attributes(data, *where)
    packets, size = (  # CTA_COUNTERS_PACKETS and _BYTES
        _U64.unpack_from(data, found[kind][0])[0] if kind in found else 0 for kind in (1, 2)
    )
    return packets, size


def _times(data: bytes, where: tuple[int, int] | None) -> tuple[float, float]:
    if where is None:
        return 0.0, 0.0
    found = attributes(data, *where)
    began, ended = (  # CTA_TIMESTAMP_START and _STOP, in nanoseconds
        _U64.unpack_from(data, found[kind][0])[0] / 1e9 if kind in found else 0.0 for kind in (1, 2)
    )
    return began, ended
