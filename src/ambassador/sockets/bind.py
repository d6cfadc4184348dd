"""Listening sockets as the relay wants them."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from ambassador.errors import PlaneError
from ambassador.model import Address, Inet, Proto, Unix
from ambassador.sockets.inherited import LentSocket
from ambassador.spec import format_address

__all__ = ["bind", "close_listener", "somaxconn"]

_UDP_BUFFER = 4 << 20  # the kernel grants at most net.core.rmem_max


def bind(proto: Proto, address: Address, backlog: int) -> socket.socket:
    """Return a non-blocking socket bound to `address` (one port), listening when it is TCP.

    An empty host or `::` is one dual-stack socket, IPv4 alone where the system has no IPv6.
    A unix socket nobody listens on any more is replaced. Raises PlaneError saying what to do.
    """
    try:
        if isinstance(address, Unix):
            return _bind_unix(address.path, backlog)
        return _bind_inet(proto, address, backlog)
    except OSError as error:
        raise PlaneError(_explain(error, proto, address)) from error


def _bind_inet(proto: Proto, address: Inet, backlog: int) -> socket.socket:
    everywhere = address.host in ("", "::")
    if everywhere and not socket.has_dualstack_ipv6():
        address = Inet("0.0.0.0", address.port)
        everywhere = False
    host = "::" if everywhere else address.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_STREAM if proto is Proto.TCP else socket.SOCK_DGRAM
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if everywhere else 1)
        if proto is Proto.TCP:
            # A restart must not wait for the TIME_WAIT of former sessions.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, address.port))
            sock.listen(backlog)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UDP_BUFFER)
            sock.bind((host, address.port))
    except BaseException:
        sock.close()
        raise
    return sock


def _bind_unix(path: str, backlog: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        _remove_stale(path)
        sock.bind(path)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    try:
        mode = Path(path).lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "a file that is no socket stands there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
            return
        except BlockingIOError:
            pass
    raise OSError(errno.EADDRINUSE, "another process listens there")


def close_listener(sock: socket.socket) -> None:
    """Close a socket made by `bind`; a unix socket's file goes too, unless it is lent."""
    if sock.fileno() < 0:
        return
    lent = isinstance(sock, LentSocket) and sock.lent
    path = sock.getsockname() if sock.family == socket.AF_UNIX and not lent else ""
    sock.close()
    if path:
        Path(path).unlink(missing_ok=True)


def somaxconn() -> int:
    """Return the longest listen backlog the kernel grants (listen(2))."""
    return int(Path("/proc/sys/net/core/somaxconn").read_text())


def _explain(error: OSError, proto: Proto, address: Address) -> str:
    where = format_address(address)
    what = f"cannot listen on {where} ({proto}): {(error.strerror or str(error)).lower()}"
    if error.errno == errno.EADDRINUSE and isinstance(address, Inet):
        kind = "t" if proto is Proto.TCP else "u"
        hint = f"find who has it with: ss -ln{kind}p 'sport = :{address.port}'"
    elif error.errno in (errno.EACCES, errno.EPERM) and isinstance(address, Inet):
        first = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text().strip()
        hint = (
            f"user {os.geteuid()} may bind ports from {first} up; choose such a port with "
            f"..._LISTEN=:{address.port + 8000}, or give CAP_NET_BIND_SERVICE "
            "(docker run --sysctl net.ipv4.ip_unprivileged_port_start=0)"
        )
    elif error.errno == errno.EADDRNOTAVAIL:
        hint = "this host does not have that address; leave it out to listen on all of them"
    else:
        return what
    return f"{what}; {hint}"
