"""End connections whose sockets another process of ours has open, too.

A connection ends when the last process closes its socket. A worker that stands still closes none;
but its parent may take a descriptor out of it (pidfd_getfd(2), Linux 5.6; in a container only with
CAP_SYS_PTRACE), and connect(2) to AF_UNSPEC resets a connection although other processes have its
socket. The same call ends sessions of which a successor has copies already.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["disconnect", "inode", "sever"]

_PIDFD_GETFD = 438  # the same number in every architecture (unistd.h)
_UNSPEC = bytes(16)  # struct sockaddr of AF_UNSPEC
_LINGER = struct.Struct("ii")  # struct linger, socket(7)


def inode(descriptor: int) -> int:
    """Return the inode of a socket, as in /proc/PID/fd."""
    return os.fstat(descriptor).st_ino


def disconnect(pid: int, inodes: Collection[int]) -> None:
    """Reset the connections of the child `pid` whose sockets have these `inodes`. Raises OSError
    where that is not allowed.
    """
    import ctypes  # noqa: PLC0415 (10 ms and 0.6 MB, and only where a worker stands still)
    from pathlib import Path  # noqa: PLC0415 (5 ms of the start of a worker)

    libc = _libc()
    names = {f"socket:[{number}]" for number in inodes}
    process = os.pidfd_open(pid)
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            if str(entry.readlink()) in names:
                descriptor = libc.syscall(_PIDFD_GETFD, process, int(entry.name), 0)
                if descriptor < 0:
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number))
                with socket.socket(fileno=descriptor) as sock:
                    if libc.connect(descriptor, _UNSPEC, len(_UNSPEC)) < 0:
                        sock.shutdown(socket.SHUT_RDWR)  # of a unix socket
    finally:
        os.close(process)


def sever(sock: socket.SocketType) -> None:
    """End the connection of `sock` as its close would, which follows; also where another process
    has the socket, too.
    """
    with contextlib.suppress(OSError):  # it is closed, or was never connected
        linger = sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.size)
        if sock.family == socket.AF_UNIX or not _LINGER.unpack(linger)[0]:
            sock.shutdown(socket.SHUT_RDWR)
        else:
            _libc().connect(sock.fileno(), _UNSPEC, len(_UNSPEC))


def _libc() -> Any:
    import ctypes  # noqa: PLC0415 (as above)

    return ctypes.CDLL(None, use_errno=True)
