"""Whether this network namespace forwards packets, asked of the kernel by netlink.

By netconf of rtnetlink (include/uapi/linux/netconf.h, inet_netconf_get_devconf in devinet.c): it
works without /proc/sys, which a container may not have, and reports changes.
"""

from __future__ import annotations

import socket
from struct import Struct, unpack_from

from ambassador.planes.kernel.messages import ACK, attribute, attributes

__all__ = ["followed", "forwards", "why_not"]

_SYSCTLS = {False: "net.ipv4.ip_forward", True: "net.ipv6.conf.all.forwarding"}

_NEW, _GET = 80, 82  # RTM_NEWNETCONF, RTM_GETNETCONF
_IFINDEX, _FORWARDING = 1, 2  # NETCONFA_*
_ALL = -1  # NETCONFA_IFINDEX_ALL
_GROUPS = (24, 25)  # RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF
_ADD_MEMBERSHIP, _SOL_NETLINK = 1, 270
_HEADER = Struct("=LHHLLB3x")  # nlmsghdr, and netconfmsg: the address family
_NUMBER = Struct("=i")
_SECONDS = 1.0


def forwards(ipv6: bool) -> bool | None:
    """Tell whether packets of one family are forwarded; None where the kernel does not say."""
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    body = attribute(_IFINDEX, _NUMBER.pack(_ALL))
    request = _HEADER.pack(_HEADER.size + len(body), _GET, 1 | ACK, 1, 0, family) + body
    try:
        with _socket() as sock:
            sock.settimeout(_SECONDS)
            sock.send(request)
            data = sock.recv(65536)
    except OSError:
        return None
    if len(data) < _HEADER.size or _HEADER.unpack_from(data)[1] != _NEW:
        return None
    end = min(len(data), unpack_from("=L", data)[0])
    place = attributes(data, _HEADER.size, end).get(_FORWARDING)
    return bool(_NUMBER.unpack_from(data, place[0])[0]) if place else None


def why_not(*, ipv6: bool) -> str:
    """Return why packets of one family are not forwarded; empty where they are."""
    sysctl = _SYSCTLS[ipv6]
    match forwards(ipv6):
        case True:
            return ""
        case False:
            return f"{sysctl} is 0 (docker run --sysctl {sysctl}=1)"
        case None:
            return f"the kernel does not say what {sysctl} is"


def followed() -> socket.socket:
    """Return a socket that is readable when forwarding, or a related setting, has changed."""
    sock = _socket()
    for group in _GROUPS:
        sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    sock.setblocking(False)
    return sock


def _socket() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    sock = socket.socket(socket.AF_NETLINK, kind, 0)  # NETLINK_ROUTE
    sock.bind((0, 0))
    return sock
