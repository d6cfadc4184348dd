"""Hear from the kernel that flows begin and end."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from enum import Enum

from ambassador import log
from ambassador.model import Proto, Reason
from ambassador.planes.kernel.conntrack import DELETE, NEW
from ambassador.planes.kernel.entry import Flow, FlowState, ended_by, parse
from ambassador.planes.kernel.netlink import NetlinkSocket, messages
from ambassador.planes.kernel.sieve import sieve

__all__ = ["FlowEvent", "Hearing", "Told"]

_GROUPS = (1, 2, 3)  # NFNLGRP_CONNTRACK_NEW, _UPDATE, _DESTROY
_BUFFER = 4 << 20  # 20,000 flows that end at once


class FlowEvent(Enum):
    """What the kernel tells of a flow."""

    NEW = "new"
    OVER = "over"  # a connection whose sides have both ended, or one has reset it
    FORGOTTEN = "forgotten"  # its entry is gone


# Called with the event and, of a connection that is over, whoever ended it. What it carried is
# told when it is forgotten only.
Told = Callable[[FlowEvent, Flow, Reason], None]


class Hearing:
    """From `open` on, `told` is called on the running loop's thread for each translated flow."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._said_overrun = False
        self._socket: NetlinkSocket | None = None

    def open(self) -> None:
        """Begin. The kernel tells of a flow only if somebody listened when it began. Raises
        PlaneError.
        """
        self._socket = NetlinkSocket(_GROUPS, _BUFFER, sieve(DELETE))
        self._socket.sock.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket.sock.fileno(), self._hear, self._socket)

    def close(self) -> None:
        """Hear nothing any longer."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.sock.fileno())
            self._socket.close()
            self._socket = None

    def _hear(self, events: NetlinkSocket) -> None:
        try:
            data = events.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            if not self._said_overrun:
                self._said_overrun = True
                log.event(
                    log.WARNING,
                    "flow_events_lost",
                    "more flows begin and end than can be logged; some have no line",
                )
            return
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
