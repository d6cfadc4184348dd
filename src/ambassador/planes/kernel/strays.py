"""Strays: invalid segments to our listen ports. Conntrack finds a segment invalid that is out of
the window of an open connection; with nf_conntrack_tcp_loose=0 also one that belongs to a
connection without an entry, and no rule can tell the two apart.

Rules drop the first such segments and have them traced (`again` of layout.py). Here conntrack is
asked for the entry of each. If there is one, it accepts segments out of the window from now on, so
that late segments are translated and delivered, as without us. If there is none, our TCP answers
the next segment by a reset. Without such segments nothing runs here.
"""

from __future__ import annotations

import errno

from ambassador.errors import PlaneError
from ambassador.planes.kernel.conntrack import Conntrack
from ambassador.planes.kernel.messages import messages
from ambassador.planes.kernel.netlink import NetlinkSocket
from ambassador.planes.kernel.traced import TRACED, ends

__all__ = ["StrayWatch"]

_GROUP = 9  # NFNLGRP_NFTRACE
_BUFFER = 256 << 10
_TURN = 32  # notices read in a turn of the loop


class StrayWatch:
    """From `open` to `close`, segments out of the window do not end connections of ours."""

    def __init__(self, conntrack: Conntrack) -> None:
        self._conntrack = conntrack
        self._socket: NetlinkSocket | None = None

    def open(self) -> None:
        """Begin; raises PlaneError."""
        self._socket = NetlinkSocket((_GROUP,), _BUFFER)
        self._socket.watch(self._hear)

    def close(self) -> None:
        """Stop."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _hear(self) -> None:
        told = set()
        for _ in range(_TURN):
            if self._socket is None:
                return
            try:
                data = self._socket.sock.recv(65536)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EINTR, errno.ENOBUFS):
                    raise
                break
            for kind, _, begin, end in messages(data):
                if kind == TRACED and (both := ends(data, begin, end)) is not None:
                    told.add(both)
        for source, destination in told:
            try:
                self._conntrack.be_lenient(source, destination)
            except PlaneError:
                return  # our TCP answers a later segment by a reset then
