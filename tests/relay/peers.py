"""Plain sockets for both ends of a relay; all of them are closed in the end."""

from __future__ import annotations

import socket
import struct
from contextlib import ExitStack
from pathlib import Path

from tests.ports import free_port
from tests.relay.echo import Echo

__all__ = ["PATIENCE", "Peers", "is_reset", "port_of", "read_all", "read_exactly", "reset"]

PATIENCE = 10.0


class Peers:
    """Makes sockets that give up after PATIENCE seconds, so that no test hangs."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def close(self) -> None:
        self._stack.close()

    def keep(self, sock: socket.socket) -> socket.socket:
        sock.settimeout(PATIENCE)
        return self._stack.enter_context(sock)

    def listen(self, where: str = "127.0.0.1", port: int = 0, backlog: int = 128) -> socket.socket:
        """Return a listening socket at an address of this host, or at a path."""
        if where.startswith("/"):
            sock = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.bind(where)
            self._stack.callback(Path(where).unlink, missing_ok=True)
        else:
            family = socket.AF_INET6 if ":" in where else socket.AF_INET
            sock = self.keep(socket.socket(family, socket.SOCK_STREAM))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((where, port or free_port()))
        sock.listen(backlog)
        return sock

    def accept(self, listening: socket.socket) -> socket.socket:
        return self.keep(listening.accept()[0])

    def connect(self, where: int | str, host: str = "127.0.0.1", **buffers: int) -> socket.socket:
        """Return a socket connected to a port of `host`, or to a path."""
        if isinstance(where, str):
            sock = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.connect(where)
            return sock
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = self.keep(socket.socket(family, socket.SOCK_STREAM))
        for name, size in buffers.items():
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), size)
        sock.connect((host, where))
        return sock

    def echo(self, where: str = "127.0.0.1", port: int = 0, backlog: int = 4096) -> Echo:
        """Start an endpoint that returns what it is sent."""
        echo = Echo(self.listen(where, port, backlog))
        self._stack.callback(echo.close)
        return echo

    def datagrams(self, host: str = "127.0.0.1", port: int = 0) -> socket.socket:
        """Return a bound socket for datagrams."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = self.keep(socket.socket(family, socket.SOCK_DGRAM))
        sock.bind((host, port))
        return sock


def port_of(sock: socket.socket | Echo) -> int:
    return sock.getsockname()[1] if isinstance(sock, socket.socket) else sock.port


def reset(sock: socket.socket) -> None:
    """Close with a reset instead of an end (SO_LINGER of socket(7))."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def is_reset(sock: socket.socket) -> bool:
    """Read on; tell whether it ends with a reset (and not with an end)."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return False


def read_exactly(sock: socket.socket, count: int) -> bytes:
    read = bytearray()
    while len(read) < count:
        data = sock.recv(min(65536, count - len(read)))
        assert data, f"ended after {len(read)} of {count} bytes"
        read += data
    return bytes(read)


def read_all(sock: socket.socket) -> bytes:
    """Read to the end."""
    read = bytearray()
    while data := sock.recv(65536):
        read += data
    return bytes(read)
