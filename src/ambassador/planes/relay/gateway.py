"""Whether a client is the gateway of this network: then the container engine may hide the addresses
of clients.
"""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_ntop
from sys import byteorder

__all__ = ["Alike", "gateways", "is_gateway", "is_rootless", "rootless_gateway"]

_IPV4, _IPV6 = Path("/proc/net/route"), Path("/proc/net/ipv6_route")
HIDDEN = (
    "the gateway of this network: the engine puts its own address in the place of theirs, and "
    "lists and limits see that (docs/routes.md, who may come in)"
)
_USERS = Path("/proc/self/uid_map")
_TOLD = 3  # clients that look like the gateway until the log says so


class Alike:
    """Whether every client of a route has the same address."""

    __slots__ = ("count", "host", "varied")

    def __init__(self) -> None:
        self.host = ""
        self.count = 0
        self.varied = False

    def meet(self, host: str) -> bool:
        """Note the client at `host`, while nothing is `varied`; tell whether the log is to say that
        all of them look like the gateway.
        """
        if host != self.host and self.count:
            self.varied = True
            return False
        self.host = host
        self.count += 1
        return self.count == _TOLD and bool(self.words())

    def words(self) -> str:
        """Return a text where all clients look like the gateway; else it is empty."""
        if self.varied or not self.count:
            return ""
        host = self.host.removeprefix("::ffff:")  # an IPv4 client of a dual-stack listener
        if not is_gateway(host):
            return ""
        who = "the only client so far looks" if self.count == 1 else "every client so far looks"
        return f"{who} like {host}, {HIDDEN}"


def is_gateway(host: str) -> bool:
    """Tell whether the default route of this network namespace leads to `host`."""
    return host in _gateways_at(int(time.monotonic()))


@lru_cache(1)  # thousands of routes may ask at once
def _gateways_at(_second: int) -> set[str]:
    try:
        return gateways(_IPV4.read_text(), _IPV6.read_text() if _IPV6.exists() else "")
    except OSError:  # a /proc that hides them
        return set()


def rootless_gateway() -> str:
    """Return the gateway that clients of published ports may look like, since the engine of this
    container runs without root; empty elsewhere.
    """
    try:
        if not is_rootless(_USERS.read_text()):
            return ""
        return next(iter(sorted(gateways(_IPV4.read_text(), ""))), "")
    except OSError:
        return ""


def is_rootless(users: str) -> bool:
    """Tell by `users`, the uid_map of this process (user_namespaces(7)), whether root here is one
    user of the host: an engine that runs as root gives no map, or whole ranges.
    """
    fields = users.split()
    return len(fields) > 2 and fields[0] == "0" and fields[1] != "0" and fields[2] == "1"


def gateways(ipv4: str, ipv6: str) -> set[str]:
    """Return the addresses default routes lead to, as proc(5) and the kernel (ipv6_route_seq_show
    in net/ipv6/ip6_fib.c) list routes.
    """
    found = set()
    for fields in map(str.split, ipv4.splitlines()[1:]):
        if len(fields) > 7 and fields[1] == fields[7] == "00000000" and int(fields[2], 16):
            found.add(inet_ntop(AF_INET, int(fields[2], 16).to_bytes(4, byteorder)))
    for fields in map(str.split, ipv6.splitlines()):
        if len(fields) > 4 and fields[0] == "0" * 32 and fields[1] == "00" and int(fields[4], 16):
            found.add(inet_ntop(AF_INET6, bytes.fromhex(fields[4])))
    return found
