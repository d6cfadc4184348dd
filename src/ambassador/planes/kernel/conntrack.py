"""The flows that the kernel forwards: list and delete them.

Speaks ctnetlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h) by way of `netlink`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Collection, Iterable, Sequence

from ambassador.errors import PlaneError
from ambassador.model import Proto, Reason
from ambassador.planes.kernel.cut_entry import Side, entry, name, sides
from ambassador.planes.kernel.entry import (
    Address,
    Flow,
    FlowState,
    ended_by,
    naming,
    parse,
    wanted,
)
from ambassador.planes.kernel.messages import ACK, CREATE, EXCLUSIVE, message, messages
from ambassador.planes.kernel.netlink import NetlinkSocket
from ambassador.planes.kernel.revival import Vanished, backwards, lenient, request, tuple_of
from ambassador.planes.kernel.skim import Skim
from ambassador.planes.kernel.tracking import fill
from ambassador.tasks import Slice

__all__ = ["DELETE", "NEW", "Conntrack"]

_SUBSYSTEM = 1 << 8  # NFNL_SUBSYS_CTNETLINK
NEW, _GET, DELETE = _SUBSYSTEM, _SUBSYSTEM | 1, _SUBSYSTEM | 2  # IPCTNL_MSG_CT_*

# The kernel (6.18) does not filter both families at once.
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
# Up to so many ports, one walk through the table for each port (8 ms for 262,144 buckets, however
# empty); with more, one walk through all entries of the protocol.
_MOST_WALKS = 8
_BATCH = 50  # entries that are deleted by one request: about 1 ms of the kernel's time
# Seconds of parsing before other work of the loop has its turn.
_SLICE = 0.002


class Conntrack:
    """Access to the table of connection tracking of this network namespace.

    `open` comes first; every method raises PlaneError where the kernel refuses.
    """

    def __init__(self) -> None:
        self._socket: NetlinkSocket | None = None

    def open(self) -> None:
        """Take the descriptor that requests need."""
        if self._socket is None:
            self._socket = NetlinkSocket()

    def close(self) -> None:
        """Release the descriptor."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def flows(
        self,
        proto: Proto,
        ports: Collection[int],
        families: Iterable[int] = _FAMILIES,
        *,
        unanswered: bool = False,
    ) -> list[Flow]:
        """Return the flows that our rules translated, whose clients connected to one of `ports` and
        that are not over. With `unanswered` only those whose upstream has not answered: they are
        few, and the kernel leaves out the others.

        The kernel walks its table in a thread; the answer is read in slices, so that the event loop
        is not blocked however many flows there are.
        """
        # A walk takes 10 ms where the host's table has 262,144 buckets, which all namespaces share.
        if self._socket is not None and (filled := fill()) is not None and not filled.entries:
            return []
        among = frozenset(ports)
        pieces = await asyncio.to_thread(_dump, proto, among, families, unanswered)

        def meant(flow: Flow) -> bool:
            if flow.state is FlowState.OVER or (unanswered and flow.established):
                return False
            return flow.proto is proto and flow.listen[1] in among

        return await _read(pieces, meant, Skim().over)

    async def everything(self, ended: dict[int, Reason] | None = None) -> list[Flow]:
        """Return all flows that our rules translated, also the flows that are over: `ended` gets
        the ids of these, with the side that ended each.
        """
        found: list[Flow] = []
        for proto in Proto:
            pieces = await asyncio.to_thread(_dump, proto, (), _FAMILIES, False)
            told = await _read(pieces, lambda _flow: True, ended=ended)
            found += [flow for flow in told if flow.proto is proto]  # older kernels do not filter
        return found

    async def delete(self, flows: Sequence[Flow]) -> int:
        """Delete the entries of `flows`; return how many were still there."""
        deleted = 0
        for first in range(0, len(flows), _BATCH):
            batch = flows[first : first + _BATCH]
            deleted += len(batch) - self._delete(batch)
            await asyncio.sleep(0)
        return deleted

    def look_up(self, flow: Flow) -> Flow | None:
        """Return the entry of `flow` as it is now; None when it is gone."""
        data = self._netlink.ask(_GET, flow.family, flow.key)
        for kind, _, begin, end in messages(data or b""):
            found = parse(data or b"", begin, end) if kind == NEW else None
            if found is not None and found.id == flow.id:
                return found
        return None

    def be_lenient(self, source: Address, destination: Address) -> bool:
        """Have conntrack accept all segments, also out of the window, of the open TCP connection of
        ours to which a segment from `source` to `destination` belongs; return whether there is one.
        """
        netlink, family = self._netlink, socket.AF_INET6 if ":" in source[0] else socket.AF_INET
        data = netlink.ask(_GET, family, tuple_of(source, destination)) or b""
        for kind, _, begin, end in messages(data):
            flow = parse(data, begin, end) if kind == NEW else None
            if flow is None or not flow.ours or not flow.established:
                continue
            number = netlink.sequence()
            return not netlink.perform([message(NEW, ACK, number, family, flow.key + lenient())])
        return False

    @property
    def port(self) -> int:
        """The netlink port of our socket: the kernel tells it with changes that we ask for."""
        bound: tuple[int, int] = self._netlink.sock.getsockname()
        return bound[0]

    @property
    def _netlink(self) -> NetlinkSocket:
        if self._socket is None:
            raise PlaneError("conntrack is not open")
        return self._socket

    def revive(self, gone: Sequence[Vanished]) -> list[Vanished]:
        """Make the entries of `gone` again; return those that could not be made, because other
        entries have taken their place.
        """
        failed = self._make(gone)
        # A datagram of an upstream that came first has made an entry of its own, without
        # translation. (A TCP segment that came first was answered with a reset.)
        room = [one for one in failed if one.flow.proto is Proto.UDP and self._make_room(one.flow)]
        again = {id(one) for one in self._make(room)} if room else set()
        made = {id(one) for one in room} - again
        return [one for one in failed if id(one) not in made]

    async def enter_cut(self, flows: Sequence[Flow]) -> None:
        """Make an entry for each side of `flows`, which were deleted; see cut_entry.py. A later
        flow of ours between the same ends keeps its entry.
        """
        places = [(flow.family, side) for flow in flows for side in sides(flow)]
        for first in range(0, len(places), _BATCH):
            taken = self._enter(places[first : first + _BATCH])
            # A segment that a peer sent meanwhile may have made an entry, too (tcp_loose).
            self._enter([place for place in taken if self._vacate(*place)])
            await asyncio.sleep(0)

    def _enter(self, places: Sequence[tuple[int, Side]]) -> list[tuple[int, Side]]:
        """Make an entry at each of `places`, an address family and two ends; return the places that
        have an entry already.
        """
        if not places:
            return []
        netlink, requests, numbers = self._netlink, [], {}
        for place in places:
            family, side = place
            flags = CREATE | EXCLUSIVE | (ACK if place is places[-1] else 0)
            number = netlink.sequence()
            numbers[number] = place
            requests.append(message(NEW, flags, number, family, entry(side)))
        return [numbers[number] for number in netlink.perform(requests) if number in numbers]

    def _vacate(self, family: int, side: Side) -> bool:
        """Delete the entry between two ends, unless it is translated; tell whether it is gone."""
        netlink = self._netlink
        data = netlink.ask(_GET, family, name(side)) or b""
        if any(parse(data, begin, end) for _, _, begin, end in messages(data)):
            return False
        number = netlink.sequence()
        errors = netlink.perform([message(DELETE, ACK, number, family, name(side))])
        return all(error == errno.ENOENT for error in errors.values())

    def _make_room(self, flow: Flow) -> bool:
        """Delete the entry that a datagram of the upstream has made in the place of `flow`, unless
        its client has begun again; return whether the place is free now.
        """
        if self._socket is None or self._socket.ask(_GET, flow.family, flow.key) is not None:
            return False
        number = self._socket.sequence()
        wanted = message(DELETE, ACK, number, flow.family, backwards(flow))
        return not self._socket.perform([wanted])

    def _make(self, gone: Sequence[Vanished]) -> list[Vanished]:
        netlink, requests, numbers = self._netlink, [], {}
        for place, one in enumerate(gone):
            flags = CREATE | EXCLUSIVE | (ACK if place == len(gone) - 1 else 0)
            number = netlink.sequence()
            numbers[number] = one
            requests.append(message(NEW, flags, number, one.flow.family, request(one)))
        return [numbers[number] for number in netlink.perform(requests) if number in numbers]

    def _delete(self, flows: Sequence[Flow]) -> int:
        """Delete the entries of `flows` and return how many were gone already."""
        netlink, requests = self._netlink, []
        for place, flow in enumerate(flows):
            flags = ACK if place == len(flows) - 1 else 0
            number = netlink.sequence()
            requests.append(message(DELETE, flags, number, flow.family, naming(flow)))
        errors = netlink.perform(requests)
        for error in errors.values():
            if error not in (errno.ENOENT, errno.ESTALE):
                raise PlaneError(f"conntrack: cannot delete: {os.strerror(error).lower()}")
        return len(errors)


async def _read(
    pieces: Iterable[bytes],
    meant: Callable[[Flow], bool],
    passed_over: Callable[[bytes, int, int], bool] = lambda _data, _begin, _end: False,
    ended: dict[int, Reason] | None = None,
) -> list[Flow]:
    """Return the flows of ours that are `meant`; see Conntrack.everything for `ended`."""
    found: list[Flow] = []
    turn = Slice(_SLICE)
    for piece in pieces:
        for kind, _, begin, end in messages(piece):
            if kind != NEW or passed_over(piece, begin, end):
                continue
            flow = parse(piece, begin, end)
            if flow is not None and flow.ours and meant(flow):
                found.append(flow)
                if ended is not None and flow.state is FlowState.OVER:
                    ended[flow.id] = ended_by(piece, begin, end)
        await turn.end()
    return found


def _dump(
    proto: Proto, ports: Collection[int], families: Iterable[int], unanswered: bool
) -> list[bytes]:
    asked = list(ports) if 0 < len(ports) <= _MOST_WALKS else [0]
    # A socket of its own: a dump that was given up must not get answers of another request.
    dumping = NetlinkSocket()
    try:
        return [
            piece
            for family in families
            for port in asked
            for piece in dumping.dump(_GET, family, wanted(proto, port, unanswered=unanswered))
        ]
    finally:
        dumping.close()
