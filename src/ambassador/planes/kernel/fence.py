"""The fence: stops open flows to an endpoint at once, before a transaction of nft removes the ways
there (stops.py).

To run nft takes 10 ms, and many times that on a busy processor; a sentinel promotes the next
primary 50 to 110 ms after it has selected it. So a second table of ours, which needs no nft and is
made within a millisecond, drops data of clients (the last segment of a write has PSH set, RFC 9293,
section 3.9.1.2), and all segments to them: they may acknowledge what the old primary has just done.
New connections are still made, and are cut with the others: a client whose SYN is dropped would
wait for a second. The kernel deletes the table when its socket is closed, and with our process.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from sys import byteorder

from ambassador.errors import PlaneError
from ambassador.planes.kernel.entry import DST_NAT
from ambassador.planes.kernel.messages import NEST, attribute
from ambassador.planes.kernel.netlink import NetlinkSocket
from ambassador.planes.kernel.owned import REGISTER, U32, Chain, batch, compare, expression
from ambassador.planes.kernel.stops import Stop

__all__ = ["chains", "fence"]

_PRE_ROUTING, _LOCAL_OUT = 0, 3  # NF_INET_*
_PRIORITIES = {_PRE_ROUTING: -89, _LOCAL_OUT: 301}  # after `passing` and `leaving` of layout.py
_L4PROTO, _TCP = 16, b"\x06"  # NFT_META_L4PROTO
# enum nft_ct_keys
_DIRECTION, _STATUS, _PROTO_SRC, _PROTO_DST, _SRC_IP, _SRC_IP6 = 1, 2, 11, 12, 19, 21
_TRANSPORT, _FLAGS = 2, 13  # NFT_PAYLOAD_TRANSPORT_HEADER, and where the flags of TCP are there
_SYN, _PSH = b"\x02", b"\x08"
_ORIGINAL, _REPLY = b"\0", b"\1"


def fence(stops: Collection[Stop]) -> Callable[[], object]:
    """Stop the flows of `stops`; return a call that lets them pass again. Does nothing before Linux
    5.12, or where the kernel refuses: the transaction that follows stops them, a moment later.
    """
    if not stops:
        return _nothing
    try:
        sock = NetlinkSocket()
    except PlaneError:
        return _nothing
    with suppress(PlaneError):
        sock.transact(batch(f"ambassador-{os.urandom(3).hex()}", chains(stops), sock.sequence))
    loop = asyncio.get_running_loop()
    # To delete a table, the kernel waits until no packet is being looked at by it: tens of ms.
    return partial(loop.run_in_executor, None, sock.close)


def _nothing() -> None:
    """Do nothing: no flow is stopped."""


def chains(stops: Collection[Stop]) -> list[Chain]:
    """Return the chains of such a table. Pure."""
    rules = [_rule(stop, way) for stop in sorted(stops) for way in (_ORIGINAL, _REPLY)]
    return [
        Chain(name, "filter", hook, _PRIORITIES[hook], rules)
        for name, hook in (("prerouting", _PRE_ROUTING), ("output", _LOCAL_OUT))
    ]


def _rule(stop: Stop, way: bytes) -> bytes:
    """Return `meta l4proto tcp ct status dnat ct original proto-dst PORT ct reply proto-src PORT ct
    reply ip saddr ADDRESS`, then `ct direction original tcp flags psh drop` or `ct direction reply
    tcp flags & syn == 0 drop`.
    """
    address = ip_address(stop.address)
    dnat = DST_NAT.to_bytes(4, byteorder)
    # NFTA_PAYLOAD_DREG, _BASE, _OFFSET and _LEN
    payload = zip(range(1, 5), (REGISTER, *map(U32.pack, (_TRANSPORT, _FLAGS, 1))), strict=True)
    flags = expression("payload", b"".join(attribute(kind, data) for kind, data in payload))
    said = _masked(_PSH, equal=False) if way == _ORIGINAL else _masked(_SYN)
    # NFTA_META_DREG and _KEY
    protocol = attribute(1, REGISTER) + attribute(2, U32.pack(_L4PROTO))
    # NFTA_IMMEDIATE_DREG: NFT_REG_VERDICT; _DATA: NFTA_DATA_VERDICT: NFTA_VERDICT_CODE: NF_DROP
    verdict = attribute(NEST | 2, attribute(1, U32.pack(0)))
    drop = attribute(1, U32.pack(0)) + attribute(NEST | 2, verdict)
    return b"".join(
        (
            expression("meta", protocol) + compare(_TCP),
            _of_flow(_STATUS) + _masked(dnat, equal=False),
            _of_flow(_PROTO_DST, _ORIGINAL) + compare(stop.port.to_bytes(2)),
            _of_flow(_PROTO_SRC, _REPLY) + compare(stop.upstream.to_bytes(2)),
            _of_flow(_SRC_IP if address.version == 4 else _SRC_IP6, _REPLY)
            + compare(address.packed),
            _of_flow(_DIRECTION) + compare(way),
            flags + said,
            expression("immediate", drop),
        )
    )


def _masked(mask: bytes, *, equal: bool = True) -> bytes:
    """Return the expressions by which a rule matches only where no bit of `mask` is set in the
    register; or, with `equal` false, where some bit is.
    """
    nothing = bytes(len(mask))
    found = (
        attribute(1, REGISTER)  # NFTA_BITWISE_SREG
        + attribute(2, REGISTER)  # NFTA_BITWISE_DREG
        + attribute(3, U32.pack(len(mask)))  # NFTA_BITWISE_LEN
        + attribute(NEST | 4, attribute(1, mask))  # NFTA_BITWISE_MASK
        + attribute(NEST | 5, attribute(1, nothing))  # NFTA_BITWISE_XOR
    )
    return expression("bitwise", found) + compare(nothing, equal=equal)


def _of_flow(key: int, direction: bytes = b"") -> bytes:
    """Return the expression that loads `key` of a flow into the register."""
    # NFTA_CT_DREG, _KEY and _DIRECTION
    found = attribute(1, REGISTER) + attribute(2, U32.pack(key))
    return expression("ct", found + (attribute(3, direction) if direction else b""))
