"""Peers of a cut connection that are sockets of this network namespace: destroy them where a
firewall drops all segments to them (SOCK_DESTROY of sock_diag(7), as `ss -K` of ss(8) does).
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
    """Tell whether an address is of this network namespace: then the kernel sends to it from it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((host, 9))  # nothing is sent
            return bool(sock.getsockname()[0] == host)
    except OSError:
        return False


def end_here(side: Side) -> bool:
    """Destroy the peer's socket of `side`, if the peer is here; return whether it has none now.

    Raises PlaneError where the kernel does not allow it: CAP_NET_ADMIN is needed, and a kernel with
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
        # Only ENOENT says that there is none; other errors come where the kernel cannot tell.
        return failure(answer) == errno.ENOENT
    # Where there is no connection, a listening socket may be found: it must not be destroyed.
    if not there.living:
        return True
    sock.send(destroying(2, local, remote, there.cookie))
    error = failure(sock.recv(4096))
    if error in (0, errno.ENOENT, errno.ESTALE):  # the last two: the connection ended meanwhile
        return True
    raise OSError(error or 0, "")
