"""Clients and upstreams in the namespaces of a network."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable

from tests.netns import Namespace, Network

__all__ = ["Ends", "listen", "open_flows", "times_of_resets", "udp"]

Ends = tuple[socket.socket, socket.socket]  # the client's and the upstream's


def listen(namespace: Namespace, port: int, backlog: int = 4096) -> socket.socket:
    """Return a listening socket on all addresses, IPv4 and IPv6."""
    sock = _bound(namespace, socket.SOCK_STREAM, port)
    sock.listen(backlog)
    return sock


def udp(namespace: Namespace, port: int) -> socket.socket:
    """Return a datagram socket on all addresses."""
    return _bound(namespace, socket.SOCK_DGRAM, port)


def _bound(namespace: Namespace, kind: int, port: int) -> socket.socket:
    sock = namespace.socket(socket.AF_INET6, kind)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("::", port))
    return sock


def open_flows(
    network: Network,
    listening: socket.socket,
    port: int,
    count: int = 1,
    *,
    client: str = "client",
    host: str = "",
    family: int = socket.AF_INET,
) -> list[Ends]:
    """Connect `count` clients to the ambassador (or `host`) and return both ends of each."""
    host = host or network.address("ambassador", family)

    def connect() -> list[socket.socket]:
        return [socket.create_connection((host, port), 10) for _ in range(count)]

    clients = getattr(network, client).call(connect)
    for number, sock in enumerate(clients):  # who is who, whatever ports were given on the way
        sock.sendall(b"%8d" % number)
    upstreams = {}
    for _ in clients:
        upstream, _ = listening.accept()
        upstream.settimeout(10)
        upstreams[int(upstream.recv(8))] = upstream
    return [(sock, upstreams[number]) for number, sock in enumerate(clients)]


def times_of_resets(ends: Iterable[Ends], within: float = 10.0) -> list[float]:
    """Wait until every socket of `ends` has been reset; return when, as time.monotonic()."""
    poll = select.epoll()
    waiting = {sock.fileno(): sock for pair in ends for sock in pair}
    for descriptor in waiting:
        poll.register(descriptor, 0)  # EPOLLERR and EPOLLHUP are always told (epoll_ctl(2))
    told = []
    deadline = time.monotonic() + within
    while waiting and time.monotonic() < deadline:
        for descriptor, _ in poll.poll(0.1):
            told.append(time.monotonic())
            poll.unregister(descriptor)
            del waiting[descriptor]
    poll.close()
    assert not waiting, f"{len(waiting)} of {len(waiting) + len(told)} sockets were not told"
    return told
