"""Options of the two sockets of a session."""

from __future__ import annotations

import contextlib
import socket
import struct

__all__ = ["keep_alive", "no_delay", "reset", "tune"]

_TCP = socket.IPPROTO_TCP
_NODELAY = socket.TCP_NODELAY
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger, socket(7): close sends RST


def tune(sock: socket.SocketType, keepalive: float) -> None:
    """Set the options of one side of a session: small writes leave at once, and a silent peer is
    asked whether it is there. A listener passes them on to what it accepts.
    """
    if sock.family == socket.AF_UNIX:
        return
    no_delay(sock)
    keep_alive(sock, keepalive)


def no_delay(sock: socket.SocketType) -> None:
    """Let small writes of a TCP socket leave at once (TCP_NODELAY)."""
    sock.setsockopt(_TCP, _NODELAY, 1)


def keep_alive(sock: socket.SocketType, keepalive: float) -> None:
    """After `keepalive` seconds of silence ask the peer six times, a sixth of that apart, whether
    it is still there (tcp(7)); 0: never.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, keepalive > 0)
    if keepalive:
        sock.setsockopt(_TCP, socket.TCP_KEEPIDLE, max(1, round(keepalive)))
        sock.setsockopt(_TCP, socket.TCP_KEEPINTVL, max(1, round(keepalive / 6)))
        sock.setsockopt(_TCP, socket.TCP_KEEPCNT, 6)


def reset(sock: socket.SocketType) -> None:
    """Make the coming close of `sock` a reset, as far as its family knows resets."""
    if sock.fileno() >= 0:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
