"""Notice when another program changes our table.

The kernel reports every transaction when it is done (nft(8), "monitor"): what it has changed, and
at the end its number and the name of the program. Ours are made by the program nft, too, so only
the numbers show the difference: where the number has grown by more than our own transaction,
another program has changed rules.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from struct import Struct

from ambassador.planes.kernel.layout import TABLE
from ambassador.planes.kernel.messages import attributes, messages
from ambassador.planes.kernel.netlink import NetlinkSocket

__all__ = ["Made", "RulesetWatch", "touches"]

_SUBSYSTEM = 10 << 8  # NFNL_SUBSYS_NFTABLES
_GROUP = 7  # NFNLGRP_NFTABLES
_BUFFER = 4 << 20  # a transaction with 5,000 routes takes more than half of it
_INET = 1  # NFPROTO_INET
_NAME = TABLE.split()[1].encode() + b"\0"
_U32 = Struct(">L")
_HEADER = Struct("=LHHLL")  # struct nlmsghdr of netlink(7)
# NFT_MSG_*: tables, chains, rules, sets, elements and objects that come or go.
_CHANGES = {_SUBSYSTEM | kind for kind in (0, 2, 3, 5, 6, 8, 9, 11, 12, 14, 18, 20)}
_ELEMENTS = {_SUBSYSTEM | 12, _SUBSYSTEM | 14}
_GENERATION, _ASK_GENERATION = _SUBSYSTEM | 15, _SUBSYSTEM | 16
# Sets that packets write to, with elements that last only for seconds.
_PASSING = {
    *(b"down_tcp\0", b"down_udp\0", b"unsent_udp\0", b"lost_udp\0"),
    *(b"tried4\0", b"tried6\0", b"led4\0", b"led6\0"),
}


class Made:
    """The netlink ports of the sockets by which transactions were made: the port of the first
    socket of a process is its pid (netlink(7)).
    """

    def __init__(self) -> None:
        self.by: set[int] = set()
        self.heard = asyncio.Event()

    async def by_process(self, number: int) -> None:
        """Wait until process `number` has made a transaction."""
        while number not in self.by:
            self.heard.clear()
            await self.heard.wait()


class RulesetWatch:
    """From `open` to `close`, `changed` is called when another program has changed our table, with
    the name of that program; empty when it is not known.
    """

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._socket: NetlinkSocket | None = None
        self._questions: NetlinkSocket | None = None
        self._touched = False
        self._dropped = 0
        self._deaf = False
        self._made = Made()

    def open(self) -> None:
        """Begin; raises PlaneError."""
        if self._socket is not None:
            return
        self._questions = NetlinkSocket()
        self._socket = NetlinkSocket((_GROUP,), _BUFFER)
        self._socket.watch(self._hear)

    def close(self) -> None:
        """Stop."""
        if self._socket is not None:
            self._socket.close()
        if self._questions is not None:
            self._questions.close()
        self._socket = self._questions = None

    @asynccontextmanager
    async def ours(self) -> AsyncIterator[Made]:
        """In this context one transaction is our own; yield the Made that notes its process."""
        self._made = made = Made()
        if self._socket is None:
            yield made
            return
        while self._hear():
            pass
        before, failed = self._generation(), True
        self._deaf = True
        try:
            yield made
            failed = False
        finally:
            self._hear_ours()
            if (self._generation() - before) % (1 << 32) > (0 if failed else 1):
                self._changed("")

    def ignore(self) -> None:
        """Ignore all changes until `listen`: a successor has the table."""
        self._deaf = True

    def listen(self) -> None:
        """Notice changes from now on."""
        self._hear_ours()

    def _hear_ours(self) -> None:
        while self._hear():
            pass
        self._deaf = self._touched = False
        if self._socket is not None:
            self._dropped = self._socket.drops()

    def _generation(self) -> int:
        """Return how many transactions there have been (modulo 2^32)."""
        if self._questions is None:
            return 0
        data = self._questions.ask(_ASK_GENERATION, 0, b"") or b""
        for kind, _, begin, end in messages(data):
            found = attributes(data, begin, end)
            if kind == _GENERATION and 1 in found:  # NFTA_GEN_ID
                number: int = _U32.unpack_from(data, found[1][0])[0]
                return number
        return 0

    def _hear(self) -> bool:
        """Read the next events; return whether there were some."""
        if self._socket is None:
            return False
        try:
            data = self._socket.sock.recv(65536)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR, errno.ENOBUFS):
                raise
            return False
        if self._deaf:
            _, kind, _, _, port = _HEADER.unpack_from(data)
            if kind == _GENERATION:  # alone in its datagram
                self._made.by.add(port)
                self._made.heard.set()
            return True
        if self._touched or _NAME in data:
            self._read(data)
        if (dropped := self._socket.drops()) != self._dropped:
            self._dropped = dropped
            self._changed("")
        return True

    def _read(self, data: bytes) -> None:
        for kind, _, begin, end in messages(data):
            if kind == _GENERATION and self._touched:
                self._touched = False
                found = attributes(data, begin, end)
                name = data[slice(*found[3])] if 3 in found else b""  # NFTA_GEN_PROC_NAME
                self._changed(name.rstrip(b"\0").decode(errors="replace"))
            elif kind in _CHANGES and touches(data, kind, begin, end):
                self._touched = True


def touches(data: bytes, kind: int, begin: int, end: int) -> bool:
    """Return whether a message is of our table, and not of a set that packets write to."""
    if data[begin - 4] != _INET:  # nfgen_family
        return False
    found = attributes(data, begin, end)
    # Attribute 1 of each message is the name of the table; 2, of elements, that of the set.
    if 1 not in found or data[slice(*found[1])] != _NAME:
        return False
    return not (kind in _ELEMENTS and 2 in found and data[slice(*found[2])] in _PASSING)
