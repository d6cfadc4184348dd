"""One UDP flow: what is known of it, and its connected upstream socket."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ambassador.core.last_use import Used
from ambassador.core.memory import Memory
from ambassador.model import Reason, Route
from ambassador.planes.relay.client import client_name
from ambassador.planes.relay.evidence import Candidate, Evidence
from ambassador.planes.relay.pktinfo import Ancillary
from ambassador.planes.relay.refusal import refuse_itself, refuse_ourselves
from ambassador.planes.relay.source_ports import SourcePorts
from ambassador.ports import SessionRecord, SessionStatus

__all__ = ["UdpFlow", "connect_datagrams", "has_heard_errors"]

# IP_RECVERR of ip(7), IPV6_RECVERR of ipv6(7); no names in Python 3.11.
_HEAR_ERRORS: dict[int, tuple[int, int]] = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}

# What a flow keeps while its endpoint is looked for: a client without an answer sends little, and
# a client that sends much must not fill our memory.
_HELD_DATAGRAMS = 16
_HELD_BYTES = 128 * 1024


@dataclass(slots=True, eq=False)
class UdpFlow(Used):
    """The datagrams between one client address and one address of this host. Times in seconds of
    the event loop's clock.
    """

    client: Any  # as recvmsg(2) gave it, for sendmsg(2)
    ancillary: Ancillary  # makes answers leave from the address that the client sent to
    began: float
    id: str = ""
    generation: int = -1  # of the route and its names, when the endpoint was chosen
    candidate: Candidate | None = None
    counted: Evidence | None = None
    upstream: socket.SocketType | None = None
    held: deque[bytes] | None = None  # datagrams in order, while an endpoint is looked for
    task: asyncio.Task[None] | None = None  # which looks for an endpoint
    refused: bool = False  # its endpoint has refused a datagram, and has not answered since
    answered: bool = False
    to_upstream: int = 0
    to_client: int = 0
    told: tuple[int, int] = (0, 0)  # of both, the bytes that are counted for earlier endpoints
    dropped: int = 0
    memory: Memory | None = None  # the budget of all sessions
    _held_bytes: int = field(default=0, repr=False)

    def hold(self, datagram: bytes) -> bool:
        """Keep `datagram` until an endpoint is found; tell whether there was room."""
        if self.held is None:
            self.held = deque()
            self._held_bytes = 0
        if len(self.held) >= _HELD_DATAGRAMS or self._held_bytes + len(datagram) > _HELD_BYTES:
            return False
        if self.memory is not None:
            if not self.memory.has(len(datagram)):
                return False
            self.memory.add(len(datagram))
        self.held.append(datagram)
        self._held_bytes += len(datagram)
        return True

    def release(self) -> deque[bytes]:
        """Return the datagrams that were held, in order, and hold no more."""
        held, self.held = self.held or deque(), None
        if self.memory is not None:
            self.memory.add(-self._held_bytes)
        self._held_bytes = 0
        return held

    @property
    def carried(self) -> tuple[int, int]:
        """The bytes to and from the endpoint it leads to now."""
        return self.to_upstream - self.told[0], self.to_client - self.told[1]

    def view(self, route: Route, now: float, *, held: bool) -> SessionStatus:
        """Return the flow as the API shows it."""
        asking = "waiting" if self.candidate is None else "open"
        return SessionStatus(
            self.id,
            route,
            client_name(self.client),
            self.candidate.endpoint if self.candidate else None,
            str(self.candidate or ""),
            now - self.began,
            self.to_upstream,
            self.to_client,
            "relay",
            "held" if held else asking,
        )

    def record(self, route: Route, now: float, reason: Reason, detail: str) -> SessionRecord:
        """Return its record for the log."""
        return SessionRecord(
            route.name,
            route.proto,
            client_name(self.client),
            self.candidate.endpoint if self.candidate else None,
            str(self.candidate or ""),
            "relay",
            self.to_upstream,
            self.to_client,
            0.0,
            now - self.began,
            reason,
            detail,
            self.dropped,
            self.id,
        )


def connect_datagrams(
    candidate: Candidate,
    is_own: Callable[[str, int], bool],
    ports: SourcePorts,
    sources: Sequence[str] = (),
) -> socket.SocketType:
    """Return a non-blocking socket that exchanges datagrams with `candidate` alone.

    Raises NoSourcePortError, and OSError, also when the endpoint is one of our listeners: each
    datagram would make a new flow there, for ever.
    """
    refuse_ourselves(candidate, is_own)
    sock = ports.connect((candidate.address, candidate.port), socket.SOCK_DGRAM, sources)
    try:
        refuse_itself(sock)
        # Without this Linux reports a port that is closed, but not a host that is gone.
        level, option = _HEAR_ERRORS[sock.family]
        sock.setsockopt(level, option, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def has_heard_errors(sock: socket.SocketType) -> bool:
    """Empty the queue of errors that `sock` has got by ICMP; return whether there was one."""
    found = False
    while True:
        try:
            sock.recvmsg(0, 0, socket.MSG_ERRQUEUE)
        except OSError:  # the queue is empty
            return found
        found = True
