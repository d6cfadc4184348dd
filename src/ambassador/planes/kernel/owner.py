"""A second table, which the kernel deletes when this process is gone, however it went.

Rules in the table of layout.py lead new clients on only while this one says that their process
lives: its chains see the first packet of each flow just before ours do, and set a bit of its
connection label. It belongs to our descriptor (NFT_TABLE_F_OWNER, Linux 5.12; nft(8), "owner"): no
other program can change it, `nft flush ruleset` passes over it, and while it stands, the kernel
goes on translating open connections although every other table were flushed (nf_nat_register_fn in
nf_nat_core.c: the hooks of translation stay as long as one chain needs them).

Not written by nft, whose table would go when nft ends.
"""

from __future__ import annotations

import errno
import os
from struct import Struct
from sys import byteorder

from ambassador.errors import PlaneError
from ambassador.planes.kernel.entry import label
from ambassador.planes.kernel.layout import ALIVE
from ambassador.planes.kernel.messages import ACK, CREATE, EXCLUSIVE, NEST, attribute, message
from ambassador.planes.kernel.netlink import NetlinkSocket

__all__ = ["Owner", "batch"]

_SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
_BEGIN, _END = 16, 17  # NFNL_MSG_BATCH_*
_TABLE, _CHAIN, _RULE = (_SUBSYSTEM << 8 | kind for kind in (0, 3, 6))  # NFT_MSG_NEW*
_APPEND = 0x800  # NLM_F_APPEND
_INET = 1  # NFPROTO_INET
_FLAG_OWNER = 2  # NFT_TABLE_F_OWNER
_U32, _I32 = Struct(">L"), Struct(">l")
_PRE_ROUTING, _LOCAL_OUT = 0, 3  # NF_INET_*
_BEFORE = -101  # dstnat is -100
_DADDR, _ADDRTYPE, _LOCAL = 2, 3, 2  # NFTA_FIB_F_DADDR, NFT_FIB_RESULT_ADDRTYPE, RTN_LOCAL
_LABELS = 13  # NFT_CT_LABELS
_REGISTER = 1  # NFT_REG_1


class Owner:
    """From `open` to `close`, or to the end of the process."""

    def __init__(self) -> None:
        self._socket: NetlinkSocket | None = None

    def open(self, *, alive: bool = True) -> bool:
        """Make the table; tell whether this kernel can. If not `alive`, it only keeps the hooks of
        translation. Raises PlaneError.
        """
        if self._socket is not None:
            return True
        sock = NetlinkSocket()
        try:
            error = sock.transact(batch(f"ambassador-{os.urandom(3).hex()}", sock, alive=alive))
        except PlaneError:
            sock.close()
            raise
        if error:
            sock.close()
            if error in (errno.EOPNOTSUPP, errno.EINVAL):  # Linux 5.10 and 5.11
                return False
            raise PlaneError(f"a table of our own: {os.strerror(error).lower()}")
        self._socket = sock
        return True

    def turn(self, *, alive: bool) -> None:
        """Say from now on that this process lives, or (as if it did not) lead no new client on; the
        hooks of translation stay. Raises PlaneError.
        """
        before, self._socket = self._socket, None
        try:
            self.open(alive=alive)
        except PlaneError:
            self._socket = before
            raise
        if before is not None:
            before.close()

    def close(self) -> None:
        """Give the table up: the kernel deletes it at once."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def batch(table: str, sock: NetlinkSocket, *, alive: bool) -> list[bytes]:
    """Return the transaction that makes the table (include/uapi/linux/netfilter/nf_tables.h)."""
    named = attribute(1, _text(table))  # NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE

    def request(kind: int, body: bytes, flags: int = 0) -> bytes:
        return message(kind, CREATE | ACK | flags, sock.sequence(), _INET, body)

    requests = [
        message(_BEGIN, 0, sock.sequence(), 0, b"", resource=_SUBSYSTEM),
        request(_TABLE, named + attribute(2, _U32.pack(_FLAG_OWNER)), EXCLUSIVE),
    ]
    for name, hook in (("prerouting", _PRE_ROUTING), ("output", _LOCAL_OUT)):
        # NFTA_HOOK_HOOKNUM and _PRIORITY; NFTA_CHAIN_NAME, _HOOK and _TYPE
        at = attribute(1, _U32.pack(hook)) + attribute(2, _I32.pack(_BEFORE))
        chain = attribute(3, _text(name)) + attribute(NEST | 4, at) + attribute(7, _text("nat"))
        requests.append(request(_CHAIN, named + chain))
        if alive:
            # NFTA_RULE_CHAIN and _EXPRESSIONS
            rule = attribute(2, _text(name)) + attribute(NEST | 4, _rule())
            requests.append(request(_RULE, named + rule, _APPEND))
    # The end has a number of its own: `transact` waits for the last that is answered.
    requests.append(message(_END, 0, 0, 0, b"", resource=_SUBSYSTEM))
    return requests


def _rule() -> bytes:
    """Return `fib daddr type local ct label set ALIVE`."""
    register = _U32.pack(_REGISTER)
    fib = (
        attribute(1, register)  # NFTA_FIB_DREG
        + attribute(2, _U32.pack(_ADDRTYPE))  # NFTA_FIB_RESULT
        + attribute(3, _U32.pack(_DADDR))  # NFTA_FIB_FLAGS
    )
    local = (
        attribute(1, register)  # NFTA_CMP_SREG
        + attribute(2, _U32.pack(0))  # NFTA_CMP_OP: NFT_CMP_EQ
        + attribute(NEST | 3, attribute(1, _LOCAL.to_bytes(4, byteorder)))  # NFTA_CMP_DATA
    )
    # NFTA_IMMEDIATE_DREG and _DATA
    marking = attribute(1, register) + attribute(NEST | 2, attribute(1, label(ALIVE)))
    # NFTA_CT_KEY and _SREG
    setting = attribute(2, _U32.pack(_LABELS)) + attribute(4, register)
    return b"".join(
        attribute(NEST | 1, attribute(1, _text(name)) + attribute(NEST | 2, data))
        for name, data in (("fib", fib), ("cmp", local), ("immediate", marking), ("ct", setting))
    )


def _text(word: str) -> bytes:
    return word.encode() + b"\0"
