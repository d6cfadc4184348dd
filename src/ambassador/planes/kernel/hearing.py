"""Events of the kernel: flows begin and end."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from enum import Enum
from functools import partial

from ambassador.model import Proto, Reason
from ambassador.planes.kernel.conntrack import DELETE, NEW
from ambassador.planes.kernel.entry import Flow, FlowState, ended_by, parse
from ambassador.planes.kernel.messages import messages
from ambassador.planes.kernel.netlink import NetlinkSocket
from ambassador.planes.kernel.sieve import sieve

__all__ = ["FlowEvent", "Hearing", "Told"]

_GROUPS = (1, 2, 3)  # NFNLGRP_CONNTRACK_NEW, _UPDATE, _DESTROY
_BUFFER = 4 << 20  # for 4,000 flows that end at once; each event takes about 1 KiB there
# Events that are read in a turn of the event loop, about 2 ms; then the kernel is asked whether
# some were lost. It is much less than the buffer holds: so an overrun is noticed while the events
# before it are still being read.
_TURN = 64
_MOST_WAITING = 50_000  # events read by `catch_up`, however fast others come


class FlowEvent(Enum):
    """What the kernel reports of a flow."""

    NEW = "new"
    OVER = "over"  # a connection that both sides have ended, or one side has reset
    FORGOTTEN = "forgotten"  # its entry is gone: its time was over, or we deleted it


# Called with the event, the flow and, for OVER, the side that ended it. The flow has its counters
# with FORGOTTEN only.
Told = Callable[[FlowEvent, Flow, Reason], None]


class Hearing:
    """From `open` on, `told` is called for each event of a translated flow, in the thread of the
    event loop, and `missed` with the number of events that were lost, each time there are some.

    Entries that other programs delete before their time, and entries that are made again, are left
    to vanished.py.
    """

    def __init__(self, told: Told, missed: Callable[[int], None] = lambda _number: None) -> None:
        self._told = told
        self._missed = missed
        self._dropped = 0  # as the kernel counts
        self._socket: NetlinkSocket | None = None

    def open(self, port: int) -> None:
        """Begin. Raises PlaneError. The kernel reports a flow only if there was a listener when the
        flow began. `port`: the netlink port of the socket by which we change entries.
        """
        self._socket = NetlinkSocket(_GROUPS, _BUFFER, sieve(DELETE, port))
        self._socket.watch(partial(self._hear_some, self._socket))

    def close(self) -> None:
        """Stop."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def catch_up(self) -> None:
        """Read all events until now."""
        for _ in range(_MOST_WAITING // _TURN):
            if self._socket is None or not self._hear_some(self._socket):
                return
            await asyncio.sleep(0)

    def check(self) -> None:
        """Ask the kernel whether events were lost."""
        if self._socket is None:
            return
        before, self._dropped = self._dropped, self._socket.drops()
        if self._dropped != before:
            self._missed((self._dropped - before) % (1 << 32))

    def _hear_some(self, events: NetlinkSocket) -> bool:
        """Read the next events; return whether there may be more."""
        more = all(self._hear(events) for _ in range(_TURN) if self._socket is events)
        self.check()
        return more

    def _hear(self, events: NetlinkSocket) -> bool:
        """Read the next event; return whether there was one."""
        try:
            data = events.sock.recv(65536)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR, errno.ENOBUFS):
                raise
            return False
        for kind, _, begin, end in messages(data):
            flow = parse(data, begin, end) if kind in (NEW, DELETE) else None
            if flow is None:
                continue
            if kind == DELETE:
                self._told(FlowEvent.FORGOTTEN, flow, Reason.UNKNOWN)
            elif flow.proto is not Proto.TCP or flow.state is not FlowState.OVER:
                self._told(FlowEvent.NEW, flow, Reason.UNKNOWN)
            else:
                self._told(FlowEvent.OVER, flow, ended_by(data, begin, end))
        return True
