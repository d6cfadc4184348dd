"""Reads the events of nftables about segments that a rule of ours has traced (`meta nftrace` of
nft(8)). Pure.

The attributes are those of enum nft_trace_attributes in include/uapi/linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_ntop
from struct import Struct

from ambassador.planes.kernel.entry import Address
from ambassador.planes.kernel.layout import TABLE
from ambassador.planes.kernel.messages import attributes

__all__ = ["TRACED", "ends"]

TRACED = 10 << 8 | 17  # NFNL_SUBSYS_NFTABLES, NFT_MSG_TRACE
_TABLE, _NETWORK, _TRANSPORT = 1, 8, 9  # NFTA_TRACE_*
_NAME = TABLE.split()[1].encode() + b"\0"
_PORTS = Struct(">HH")
# By the version in the first byte of a header (RFC 791, RFC 8200): its family, where the source
# stands, and how many bytes an address has.
_ADDRESSES = {4: (AF_INET, 12, 4), 6: (AF_INET6, 8, 16)}


def ends(data: bytes, begin: int, end: int) -> tuple[Address, Address] | None:
    """Return source and destination of the segment that the attributes between `begin` and `end`
    are about; None where they are missing (the kernel has them once a chain), or where it was
    traced in another table.
    """
    found = attributes(data, begin, end)
    if not {_TABLE, _NETWORK, _TRANSPORT} <= found.keys():
        return None
    if data[slice(*found[_TABLE])] != _NAME:
        return None
    network, transport = data[slice(*found[_NETWORK])], data[slice(*found[_TRANSPORT])]
    family, first, size = _ADDRESSES.get(network[0] >> 4 if network else 0, (0, 0, 0))
    if len(network) < first + 2 * size or len(transport) < _PORTS.size or not family:
        return None
    source, destination = (
        inet_ntop(family, network[at : at + size]) for at in (first, first + size)
    )
    ports = _PORTS.unpack_from(transport)
    return (source, ports[0]), (destination, ports[1])
