"""Which tables of rules this network namespace has, asked of the kernel by netlink.

It takes 0.1 ms; a program that lists rules takes 8. So such a program is run only where there is
something to list, and where there is nothing at all, the modules that read and write rules need not
be imported either: 1 MB, and 30 ms with the programs that they run.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from pathlib import Path

from ambassador.errors import PlaneError
from ambassador.planes.kernel.messages import attributes, messages
from ambassador.planes.kernel.netlink import NetlinkSocket
from ambassador.planes.kernel.questions import OURS

__all__ = ["ambassador_stands", "anything_stands", "others_stand"]

_MAIN = (1, "ambassador")  # NFPROTO_INET; the table of layout.py
_NEW_TABLE, _GET_TABLE = 10 << 8, 10 << 8 | 1  # NFNL_SUBSYS_NFTABLES, NFT_MSG_*
_NAME = 1  # NFTA_TABLE_NAME
# Tables of the older iptables, by family; there is no such file where its module is not loaded.
_OLDER = tuple(Path(f"/proc/thread-self/net/{family}_tables_names") for family in ("ip", "ip6"))


def anything_stands(older: Iterable[Path] = _OLDER) -> bool:
    """Return whether there is a table of nftables, or of the older iptables; True also where this
    cannot be found out. Blocks for a moment.
    """
    return _stands(lambda _family, _name: True) or any(map(_names, older))


def ambassador_stands() -> bool:
    """Return whether there is a table of an ambassador's name; True also where this cannot be found
    out. Blocks for a moment.
    """
    return _stands(lambda family, name: (family, name) == _MAIN)


def others_stand() -> bool:
    """Return whether nftables has a table of another program; True also where this cannot be found
    out. Blocks for a moment.
    """
    return _stands(lambda family, name: family != _MAIN[0] or not OURS.fullmatch(name))


def _stands(wanted: Callable[[int, str], bool]) -> bool:
    try:
        return any(wanted(*table) for table in _tables())
    except PlaneError:
        return True


def _tables() -> set[tuple[int, str]]:
    """Return the family (NFPROTO_*) and the name of each table of nftables."""
    netlink = NetlinkSocket()
    try:
        pieces = netlink.dump(_GET_TABLE, socket.AF_UNSPEC, b"")
    finally:
        netlink.close()
    found = set()
    for data in pieces:
        for kind, _, begin, end in messages(data):
            if kind == _NEW_TABLE:
                first, last = attributes(data, begin, end)[_NAME]
                name = data[first:last].rstrip(b"\0").decode(errors="replace")
                found.add((data[begin - 4], name))  # the family header precedes the attributes
    return found


def _names(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
