"""What stands in conntrack for each side of a connection that was cut, where a firewall of this
host keeps the peers from hearing of it. Pure.

An entry without translation, between us and one peer, as of a connection that is open: so rules
that let pass what belongs to one (`ct state established`) let pass what asks the peer, its answer,
and the reset with which our own TCP meets that. The reset closes the entry, which is forgotten 10 s
later; until then it waits an hour for the next word of a peer that could not be asked.
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
    """One of the two connections that a translated one is to its peers."""

    ours: Address
    peer: Address
    dialled: bool  # by us: a SYN of ours is what conntrack lets through, else a SYN/ACK


def sides(flow: Flow) -> tuple[Side, Side]:
    """Return the client's side and the upstream's."""
    return Side(flow.listen, flow.client, False), Side(flow.nat, flow.upstream, True)


def name(side: Side) -> bytes:
    """Return the attributes that name whatever entry there is between these two."""
    return attribute(NEST | _ORIG, _ends(side, forwards=side.dialled))


def entry(side: Side) -> bytes:
    """Return the attributes of a request that enters a connection as open (IPCTNL_MSG_CT_NEW)."""
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
