"""What the relay does not connect to, and the reasons of connections that fail."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterable

from ambassador.model import Endpoint, Inet
from ambassador.planes.relay.descriptors import EXHAUSTED
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.source_ports import NoSourcePortError
from ambassador.ports import Resolver

__all__ = [
    "UnreachableError",
    "doubt",
    "is_ours",
    "patience",
    "refuse_itself",
    "refuse_ourselves",
    "spoken",
]


class UnreachableError(Exception):
    """No endpoint answered within the route's `connect`; the text is the last reason."""


def refuse_ourselves(candidate: Candidate, is_own: Callable[[str, int], bool]) -> None:
    """Raise OSError when `candidate` is one of our own listeners. It is not connected to: each
    connection would make a session that makes a connection, as fast as the machine can.
    """
    if is_own(candidate.address, candidate.port) and _is_here(candidate):
        raise OSError(errno.ELOOP, "this endpoint is the ambassador itself")


def _is_here(candidate: Candidate) -> bool:
    if not candidate.port:
        return True
    family = socket.AF_INET6 if ":" in candidate.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((candidate.address, candidate.port))  # of datagrams: no packet is sent
        own: str = probe.getsockname()[0]
        peer: str = probe.getpeername()[0]
    # To an address of this host the kernel sends from that address; to 127.0.0.2 from 127.0.0.1.
    return own == peer or (own.startswith("127.") and peer.startswith("127."))


def refuse_itself(sock: socket.SocketType) -> None:
    """Raise OSError when `sock` is connected to itself: where its destination is this host and no
    process listens there, the kernel may give it the destination port as its source port (TCP:
    simultaneous open, RFC 9293 section 3.5).
    """
    try:
        itself = sock.getsockname()[:2] == sock.getpeername()[:2]
    except OSError:  # the other side has reset it already
        return
    if itself:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")


def doubt(endpoint: Endpoint, resolver: Resolver) -> None:
    """Have the name of `endpoint` resolved again."""
    if isinstance(endpoint.address, Inet):
        resolver.doubt(endpoint.address.host)


def patience(endpoints: Iterable[Endpoint], resolver: Resolver) -> float:
    """Tell `resolver` that a client waits for the names of `endpoints`. Return for how many seconds
    it should wait, where that is longer than the route's `connect`: a container may be starting.
    """
    hosts = [one.address.host for one in endpoints if isinstance(one.address, Inet)]
    unknown = [host for host in hosts if not resolver.known(host)]
    return max((resolver.wanted(host) for host in unknown), default=0.0)


def is_ours(error: OSError) -> bool:
    """Tell whether `error` is a shortage of this host, and says nothing of an endpoint."""
    # epoll_ctl(2): ENOSPC, the user may not watch more sockets
    ours = error.errno in EXHAUSTED or error.errno == errno.ENOSPC
    return ours or isinstance(error, NoSourcePortError)


def spoken(error: OSError) -> str:
    """Return the reason of `error` as a log says it: `connection refused`."""
    if error.errno is None:
        return str(error).lower()
    return (error.strerror or os.strerror(error.errno)).lower()
