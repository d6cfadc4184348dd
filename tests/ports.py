"""Free ports for tests, below the range the kernel gives to outgoing connections."""

from __future__ import annotations

import itertools
import os
import random
import socket

__all__ = ["free_port"]

_FIRST, _LAST = 20000, 32000  # net.ipv4.ip_local_port_range begins at 32768
# Processes of one run, side by side, have a part each; other runs look in different places.
_PARTS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_PART = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PARTS
_SIZE = (_LAST - _FIRST) // _PARTS
_next = itertools.count(random.Random(os.getpid()).randrange(_SIZE))


def free_port(count: int = 1) -> int:
    """Return the first of `count` ports in a row that nobody has, for TCP and for UDP."""
    while True:
        first = _FIRST + _PART * _SIZE + next(_next) % (_SIZE - count)
        if all(_is_free(port) for port in range(first, first + count)):
            for _ in range(count - 1):
                next(_next)
            return first


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET6, kind) as sock:
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            try:
                sock.bind(("::", port))
            except OSError:
                return False
    return True
