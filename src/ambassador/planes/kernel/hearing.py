"""Hear from the kernel that flows begin and end."""

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
_BUFFER = 4 << 20  # 4,000 flows that end at once; each event takes about 1 KiB there
# So many are read in a turn of the loop, about 2 ms, and then the kernel is asked for lost ones:
# they are fewer than a buffer holds, so that an overrun is known while what came before it is still
# being read.
_TURN = 64
_MOST_WAITING = 50_000  # events read by `catch_up`, however fast others come


class FlowEvent(Enum):
    """What the kernel tells of a flow."""

    NEW = "new"
    OVER = "over"  # a connection whose sides have both ended, or one has reset it
    FORGOTTEN = "forgotten"  # its entry is gone, because its time was over or because of us


# Called with the event and, of a connection that is over, whoever ended it. What it carried is
# told when it is forgotten only.
Told = Callable[[FlowEvent, Flow, Reason], None]


class Hearing:
    """From `open` on, `told` is called on the running loop's thread for each translated flow, and
    `missed` with the number of events that did not fit into the buffer, each time there are some.

    Entries that others delete before their time, and those that are made anew, are not told of:
    vanished.py knows better.
    """

    def __init__(self, told: Told, missed: Callable[[int], None] = lambda _number: None) -> None:
        self._told = told
        self._missed = missed
        self._dropped = 0  # as the kernel counts
        self._socket: NetlinkSocket | None = None

    def open(self, port: int) -> None:
        """Begin. The kernel tells of a flow only if somebody listened when it began. Raises
        PlaneError. `port` is the number of the socket by which we change entries ourselves.
        """
        self._socket = NetlinkSocket(_GROUPS, _BUFFER, sieve(DELETE, port))
        self._socket.watch(partial(self._hear_some, self._socket))

    def close(self) -> None:
        """Hear nothing any longer."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def catch_up(self) -> None:
        """Hear all that has happened until now."""
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
        """Hear of the next events; tell whether there may be more."""
        more = all(self._hear(events) for _ in range(_TURN) if self._socket is events)
        self.check()
        return more

    def _hear(self, events: NetlinkSocket) -> bool:
        """Hear of the next event; tell whether there was one."""
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
