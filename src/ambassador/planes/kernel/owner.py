"""The owner: a second table, which the kernel deletes when this process is gone, for any reason.

The rules of layout.py forward new clients only while the owner says that their process lives: its
chains see the first packet of each flow just before the chains of layout.py do, and set a bit of
its connection label. The owner belongs to a socket of ours (NFT_TABLE_F_OWNER, Linux 5.12; nft(8),
"owner"): no other program can change it, and `nft flush ruleset` skips it. While it exists, the
kernel goes on translating open connections even if every other table is flushed (nf_nat_register_fn
in nf_nat_core.c: the hooks of translation stay as long as one chain needs them).

It is not written by nft: a table of nft would go when nft ends.
"""

from __future__ import annotations

import errno
import os
from sys import byteorder

from ambassador.errors import PlaneError
from ambassador.planes.kernel.entry import label
from ambassador.planes.kernel.layout import ALIVE
from ambassador.planes.kernel.messages import NEST, attribute
from ambassador.planes.kernel.netlink import NetlinkSocket
from ambassador.planes.kernel.owned import REGISTER, U32, Chain, batch, compare, expression

__all__ = ["Owner", "chains"]

_PRE_ROUTING, _LOCAL_OUT = 0, 3  # NF_INET_*
_BEFORE = -101  # dstnat is -100
_DADDR, _ADDRTYPE, _LOCAL = 2, 3, 2  # NFTA_FIB_F_DADDR, NFT_FIB_RESULT_ADDRTYPE, RTN_LOCAL
_LABELS = 13  # NFT_CT_LABELS


class Owner:
    """The table exists from `open` to `close`, or to the end of the process."""

    def __init__(self) -> None:
        self._socket: NetlinkSocket | None = None

    def open(self, *, alive: bool = True) -> bool:
        """Make the table; return whether this kernel can. If not `alive`, the table only keeps the
        hooks of translation. Raises PlaneError.
        """
        if self._socket is not None:
            return True
        sock = NetlinkSocket()
        try:
            name = f"ambassador-{os.urandom(3).hex()}"
            error = sock.transact(batch(name, chains(alive=alive), sock.sequence))
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
        """Have new clients forwarded from now on (`alive`), or not, as if this process were gone;
        the hooks of translation stay. Raises PlaneError.
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
        """Close the socket: the kernel deletes the table at once."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def chains(*, alive: bool) -> list[Chain]:
    """Return the chains of the table. Pure."""
    rules = [_rule()] if alive else []
    return [
        Chain(name, "nat", hook, _BEFORE, rules)
        for name, hook in (("prerouting", _PRE_ROUTING), ("output", _LOCAL_OUT))
    ]


def _rule() -> bytes:
    """Return `fib daddr type local ct label set ALIVE`."""
    fib = (
        attribute(1, REGISTER)  # NFTA_FIB_DREG
        + attribute(2, U32.pack(_ADDRTYPE))  # NFTA_FIB_RESULT
        + attribute(3, U32.pack(_DADDR))  # NFTA_FIB_FLAGS
    )
    # NFTA_IMMEDIATE_DREG and _DATA
    marking = attribute(1, REGISTER) + attribute(NEST | 2, attribute(1, label(ALIVE)))
    # NFTA_CT_KEY and _SREG
    setting = attribute(2, U32.pack(_LABELS)) + attribute(4, REGISTER)
    local = compare(_LOCAL.to_bytes(4, byteorder))
    found = expression("fib", fib) + local
    return found + expression("immediate", marking) + expression("ct", setting)
