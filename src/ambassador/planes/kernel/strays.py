"""Tell a segment out of the window of an open connection from one of a connection without an entry,
where conntrack finds both invalid (nf_conntrack_tcp_loose=0) and no rule can tell them apart.

Rules drop the first ones and have them traced (`again` of layout.py). Here conntrack is asked for
each: where it has an entry, that entry is lenient about windows from now on, so that what comes
late is translated and delivered as it would be without us; where it has none, the next segment is
answered by a reset. Nothing wakes up here unless there is such a segment.
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
    """From `open` to `close`, a segment out of the window does no harm to connections of ours."""

    def __init__(self, conntrack: Conntrack) -> None:
        self._conntrack = conntrack
        self._socket: NetlinkSocket | None = None

    def open(self) -> None:
        """Begin; raises PlaneError."""
        self._socket = NetlinkSocket((_GROUP,), _BUFFER)
        self._socket.watch(self._hear)

    def close(self) -> None:
        """Hear nothing any longer."""
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
                return  # what comes again is judged by that, as without us
