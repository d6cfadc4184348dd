"""Peers of a cut connection that are sockets of this network namespace: end them where no segment
reaches them (SOCK_DESTROY of sock_diag(7), as `ss -K` of ss(8) does).
"""

from __future__ import annotations

import errno
import os
import socket
from struct import Struct

from ambassador.errors import PlaneError
from ambassador.planes.kernel.cut_entry import Side
from ambassador.planes.kernel.diag import destroying, failure, found, question
from ambassador.planes.kernel.entry import Address

__all__ = ["end_here", "is_here"]

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_PATIENCE = Struct("@ll").pack(1, 0)  # s; the kernel answers within the call


def is_here(host: str) -> bool:
    """Tell whether an address is one of this network namespace: it is what one sends from to it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((host, 9))  # nothing is sent
            return bool(sock.getsockname()[0] == host)
    except OSError:
        return False


def end_here(side: Side) -> bool:
    """End the peer's connection of `side`, where the peer is here; tell whether it has none now.

    Raises PlaneError where the kernel does not let us: CAP_NET_ADMIN is needed, and a kernel with
    CONFIG_INET_DIAG_DESTROY.
    """
    if not is_here(side.peer[0]):
        return False
    try:
        with socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG
        ) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
            return _end(sock, side.peer, side.ours)
    except OSError as error:
        raise PlaneError(f"sock_diag: {os.strerror(error.errno or 0).lower()}") from error


def _end(sock: socket.socket, local: Address, remote: Address) -> bool:
    sock.send(question(1, local, remote))
    answer = sock.recv(4096)
    there = found(answer)
    if there is None:
        # Without an answer that there is none (no such diagnosis in this kernel), nothing is known.
        return failure(answer) == errno.ENOENT
    # A socket that listens is found where no connection is; it must not be ended.
    if not there.living:
        return True
    sock.send(destroying(2, local, remote, there.cookie))
    error = failure(sock.recv(4096))
    if error in (0, errno.ENOENT, errno.ESTALE):  # the last two: it has ended meanwhile
        return True
    raise OSError(error or 0, "")
