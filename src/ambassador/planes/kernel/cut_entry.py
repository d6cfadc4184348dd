"""The conntrack entry for each side of a connection that was cut, where a firewall of this host
drops the packets that tell the peers. Pure.

It is an entry without translation, between us and one peer, as of a connection that is open. So
rules that accept packets of open connections (`ct state established`) accept the segment that pokes
the peer, its answer, and the reset that our own TCP sends to this answer. The reset closes the
entry, which goes 10 s later. Where the peer does not answer, the entry waits an hour for its next
segment.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from ambassador.model import Proto
from ambassador.planes.kernel.entry import PROTOCOLS, PROTOINFO, STATUS, Address, Flow, label
from ambassador.planes.kernel.layout import CUT
from ambassador.planes.kernel.messages import NEST, attribute
from ambassador.planes.kernel.revival import LENIENT, LIVING, TIMEOUT, both_ends

__all__ = ["Side", "entry", "name", "sides"]

_ORIG, _REPLY, _LABELS = 1, 2, 22  # CTA_*
_STATUS = 1 << 3 | 1 << 1 | 1 << 2  # IPS_CONFIRMED, IPS_SEEN_REPLY, IPS_ASSURED
_ESTABLISHED = LIVING[0]
_SECONDS = 3600  # as long as `poked4` and `poked6` know a peer
_U32 = Struct(">L")


class Side(NamedTuple):
    """One side of a translated connection, as its peer sees it: a connection between `ours`, an
    address of this host, and `peer`.
    """

    ours: Address
    peer: Address
    dialled: bool  # from our side: conntrack lets a SYN of ours through, else a SYN/ACK


def sides(flow: Flow) -> tuple[Side, Side]:
    """Return the client's side and the upstream's."""
    return Side(flow.listen, flow.client, False), Side(flow.nat, flow.upstream, True)


def name(side: Side) -> bytes:
    """Return the attributes that name the entry between these two, of whatever kind."""
    return attribute(NEST | _ORIG, _ends(side, forwards=side.dialled))


def entry(side: Side) -> bytes:
    """Return the attributes of a request that makes such an entry (IPCTNL_MSG_CT_NEW)."""
    # CTA_PROTOINFO_TCP_STATE, _FLAGS_ORIGINAL and _FLAGS_REPLY
    tcp = (
        attribute(1, bytes([_ESTABLISHED]))
        + attribute(4, bytes([LENIENT, LENIENT]))
        + attribute(5, bytes([LENIENT, LENIENT]))
    )
    return (
        name(side)
        + attribute(NEST | _REPLY, _ends(side, forwards=not side.dialled))
        + attribute(STATUS, _U32.pack(_STATUS))
        + attribute(TIMEOUT, _U32.pack(_SECONDS))
        + attribute(_LABELS, label(CUT))
        + attribute(NEST | PROTOINFO, attribute(NEST | 1, tcp))
    )


def _ends(side: Side, *, forwards: bool) -> bytes:
    ends = (side.ours, side.peer) if forwards else (side.peer, side.ours)
    return both_ends(PROTOCOLS[Proto.TCP], *ends)
