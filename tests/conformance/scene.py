"""Consumers and endpoints around an ambassador, and the ways from one to the other."""

from __future__ import annotations

import socket
import struct

from tests.conformance.ambassador import Ambassador
from tests.kernel.peers import listen, udp
from tests.netns import Network

__all__ = ["CONSUMERS", "Scene", "ends_with_reset", "reset", "works"]

IPV6 = socket.AF_INET6
# Where a consumer is, and which address of the ambassador it dials.
CONSUMERS = ("bridge", "another host", "the host", "published port", "sidecar", "loopback")
# What `docker run -p` does: the host leads what comes from elsewhere to the ambassador. It also
# drops what it cannot place, as many hosts do.
_PUBLISHED = """
table ip published {
  chain prerouting  { type nat hook prerouting priority dstnat; fib daddr type local tcp dport 1-65535 jump in; }
  chain in          { iifname "far" dnat to 10.77.0.2; }
  chain postrouting { type nat hook postrouting priority srcnat; ip daddr 10.77.0.2 masquerade; }
  chain forward     { type filter hook forward priority filter; ct state invalid drop; }
}
"""  # noqa: E501


class Scene:
    """Makes sockets and closes them all in the end; they give up after 20 s."""

    def __init__(self, network: Network, ambassador: Ambassador) -> None:
        self.network = network
        self.ambassador = ambassador
        self._open: list[socket.socket] = []
        # Before anything is sent: a flow that is older than the host's tracking is invalid to it.
        network.host.run("nft", "-f", "-", stdin=_PUBLISHED)

    def keep(self, sock: socket.socket) -> socket.socket:
        self._open.append(sock)
        return sock

    def endpoint(self, where: str = "old", port: int = 7000) -> socket.socket:
        """Return a listening socket in the namespace `where`."""
        return self.keep(listen(getattr(self.network, where), port))

    def datagrams(self, where: str = "old", port: int = 7053) -> socket.socket:
        return self.keep(udp(getattr(self.network, where), port))

    def dial(
        self, consumer: str, port: int, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM
    ) -> socket.socket:
        """Return a socket of `consumer` connected to a port of the ambassador."""
        address = self.network.address("ambassador", family)
        if consumer == "published port":
            address = "10.78.0.1"
        elif consumer == "loopback":
            address = "::1" if family == IPV6 else "127.0.0.1"
        where = {
            "bridge": "client",
            "the host": "host",
            "sidecar": "ambassador",
            "loopback": "ambassador",
        }.get(consumer, "far")
        sock = self.keep(getattr(self.network, where).socket(family, kind))
        sock.connect((address, port))
        return sock

    def accept(self, listening: socket.socket) -> socket.socket:
        upstream = self.keep(listening.accept()[0])
        upstream.settimeout(20)
        return upstream

    def session(
        self, listening: socket.socket, port: int = 6379, consumer: str = "bridge", **options: int
    ) -> tuple[socket.socket, socket.socket]:
        """Return both ends of a new connection."""
        return self.dial(consumer, port, **options), self.accept(listening)

    def close(self) -> None:
        for sock in self._open:
            sock.close()


def works(client: socket.socket, upstream: socket.socket) -> None:
    """Fail unless bytes pass both ways."""
    for one, other in ((client, upstream), (upstream, client)):
        one.sendall(b"are you there?")
        assert other.recv(14, socket.MSG_WAITALL) == b"are you there?"


def ends_with_reset(sock: socket.socket) -> bool:
    """Read on; tell whether it ends with a reset and not with an end."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return False


def reset(sock: socket.socket) -> None:
    """Close with a reset (SO_LINGER of socket(7))."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
