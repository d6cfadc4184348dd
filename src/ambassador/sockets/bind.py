"""Listening sockets with the options that the relay needs."""

from __future__ import annotations

import errno
import functools
import os
import resource
import socket
from pathlib import Path

from ambassador.errors import PlaneError
from ambassador.model import Address, Inet, Proto, Unix
from ambassador.sockets.sysctl import sysctl
from ambassador.sockets.unix import PathSocket, listen, remove
from ambassador.spec import format_address

__all__ = ["bind", "bind_inet", "close_listener", "dual_stack", "explain", "somaxconn"]

_UDP_BUFFER = 4 << 20  # the kernel grants at most net.core.rmem_max


def bind(proto: Proto, address: Address, backlog: int, wanted: int = 1) -> socket.socket:
    """Return a non-blocking socket bound to `address` (one port), one of `wanted` that are needed
    together; for TCP it listens.

    An empty host or `::` is one dual-stack socket, IPv4 alone where the system has no IPv6. A unix
    socket on which no process listens any more is replaced. Raises PlaneError that says what to do.
    """
    try:
        if isinstance(address, Unix):
            return listen(Path(address.path), backlog)
        return bind_inet(proto, address, backlog)
    except OSError as error:
        what = f"cannot listen on {format_address(address)} ({proto}): "
        raise PlaneError(what + explain(error, proto, address, "..._LISTEN=", wanted)) from error


def bind_inet(proto: Proto, address: Inet, backlog: int) -> socket.socket:
    """Do what `bind` does for an IP address. Raises OSError, which `explain` explains."""
    everywhere = address.host in ("", "::")
    if everywhere and not dual_stack():
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
            # A restart must not wait for the TIME_WAIT of earlier sessions.
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


@functools.cache
def dual_stack() -> bool:
    """Tell whether one socket can listen for IPv6 and IPv4; found out once, by creating one."""
    return socket.has_dualstack_ipv6()


def close_listener(sock: socket.socket) -> None:
    """Close a socket made by `bind` or taken over; its file is removed, too, where it is still
    ours.
    """
    if isinstance(sock, PathSocket):
        remove(sock)
    sock.close()


def somaxconn() -> int:
    """Return the longest listen backlog the kernel grants (listen(2))."""
    return sysctl("net.core.somaxconn")[0]


def explain(error: OSError, proto: Proto, address: Address, setting: str, wanted: int = 1) -> str:
    """Return why `address`, one of `wanted` that are needed together, could not be bound, and what
    to do; `setting` says where it was named.
    """
    what = (error.strerror or str(error)).lower()
    if error.errno == errno.EADDRINUSE and isinstance(address, Inet):
        kind = "t" if proto is Proto.TCP else "u"
        hint = f"find who has it with: ss -ln{kind}p 'sport = :{address.port}'"
    elif error.errno in (errno.EACCES, errno.EPERM) and isinstance(address, Inet):
        (first,) = sysctl("net.ipv4.ip_unprivileged_port_start")
        free = format_address(Inet(address.host, max(first, address.port + 8000)))
        user = os.geteuid()
        # `--cap-add` alone has no effect for a user other than root (moby#8460); `--sysctl` of
        # net.* is refused with `--network host` (runc, libcontainer/configs/validate/validator.go).
        root = "--user 0 " if user else ""
        hint = (
            f"user {user} may bind ports from {first} up; choose such a port with "
            f"{setting}{free}, or give CAP_NET_BIND_SERVICE (docker run {root}--cap-add "
            "NET_BIND_SERVICE, systemd AmbientCapabilities=CAP_NET_BIND_SERVICE), or lower that "
            f"limit: sysctl -w net.ipv4.ip_unprivileged_port_start={address.port}, on the host "
            "where the container has --network host"
        )
    elif error.errno == errno.EADDRNOTAVAIL:
        hint = "this host does not have that address; leave it out to listen on all of them"
    elif error.errno == errno.EMFILE:
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        # The open ones, the ones needed now, and as many again for clients.
        enough = min(1 << (2 * (allowed + wanted)).bit_length(), *sysctl("fs.nr_open"))
        hint = (
            f"{allowed} file descriptors are allowed (ulimit -n) and each port of a range takes "
            f"one; allow more (docker run --ulimit nofile={enough}:{enough}, systemd "
            f"LimitNOFILE={enough}) or listen on fewer ports"
        )
    else:
        return what
    return f"{what}; {hint}"
