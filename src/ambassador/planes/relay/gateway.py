"""Whether a client is the gateway of this network: then its engine may hide who the clients are."""

from __future__ import annotations

from pathlib import Path
from socket import AF_INET, AF_INET6, inet_ntop
from sys import byteorder

__all__ = ["gateways", "is_gateway"]

_IPV4, _IPV6 = Path("/proc/net/route"), Path("/proc/net/ipv6_route")


def is_gateway(host: str) -> bool:
    """Tell whether the default route of this network namespace leads to `host`."""
    try:
        return host in gateways(_IPV4.read_text(), _IPV6.read_text())
    except OSError:  # a kernel without IPv6, a /proc that hides them
        return False


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
