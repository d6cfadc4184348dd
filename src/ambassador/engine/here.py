"""Where we are, according to the kernel: which networks we are in, and which container."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from pathlib import Path

from ambassador.core.containers.address import Here
from ambassador.core.containers.container import Container
from ambassador.engine.place import Where

__all__ = ["here", "is_routed", "is_shared", "own_id"]

_MOUNTS = Path("/proc/self/mountinfo")
_ROUTES = Path("/proc/net/route")
# Docker and Podman mount /etc/hosts and /etc/resolv.conf from a folder with the container's id:
# with cgroup v1 and v2, with another hostname, and with the host's network, too. With `--network
# container:x` it is the id of x, which is right here.
_OWN = r"/([0-9a-f]{64})/(?:\S*/)?(?:hosts|hostname|resolv\.conf)(?:\s|$)"
_FILES = ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname")
_DISCARD = 9  # a port; connecting a UDP socket sends nothing


def is_shared(address: str, length: int) -> bool:
    """Tell whether we are in the network of `address`, whose prefix has `length` bits: whether a
    packet to it would leave from an address there.
    """
    ours = _leaves_from(address)
    if not ours or not length:
        return False
    return ip_address(ours) in ip_network(f"{address}/{length}", strict=False)


def is_routed(address: str) -> bool:
    """Tell whether there is a route to `address` at all."""
    return bool(_leaves_from(address))


def own_id(mounts: Path = _MOUNTS) -> str:
    """Return the id of the container we are in; empty where there is none, or it is not visible."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        fields = line.split(" ")
        if len(fields) > 4 and fields[4] in _FILES and (found := re.search(_OWN, fields[3] + " ")):
            return found[1]
    return ""


def here(where: Where, containers: Iterable[Container], isolated: bool, own: str) -> Here:
    """Return where we are among `containers` of the engine at `where`; `own` is the result of
    `own_id`.
    """
    mine = next((one for one in containers if own and one.id == own), None)
    local = bool(where.path) or mine is not None or _is_here(where.host)
    host = mine.mode == "host" or _in_host(mine) if mine is not None else not own
    return Here(
        is_shared,
        is_routed,
        host=host,
        own=mine,
        gateway=_gateway,
        remote="" if local else where.host,
        isolated=isolated,
        rootless=mine is None and not own and _is_a_users(where.path),
    )


def _is_a_users(path: str) -> bool:
    """Tell whether the socket at `path` is of a user's own engine, and does not belong to root."""
    try:
        return bool(path) and os.stat(path).st_uid != 0  # noqa: PTH116
    except OSError:
        return False


def _in_host(mine: Container) -> bool:
    return any(network.network == "host" for network in mine.networks)


def _is_here(host: str) -> bool:
    """Tell whether the name or address `host` is of this machine."""
    try:
        found = socket.getaddrinfo(host, _DISCARD, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    return any(_leaves_from(str(one[4][0])) == str(one[4][0]) for one in found)


def _leaves_from(address: str) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, _DISCARD))
            return str(probe.getsockname()[0]).partition("%")[0]
    except (OSError, ValueError):
        return ""


def _gateway() -> str:
    """Return the default gateway (IPv4), empty where there is none."""
    try:
        lines = _ROUTES.read_text().splitlines()[1:]
    except OSError:
        return ""
    for line in lines:
        fields = line.split()
        if len(fields) > 2 and fields[1] == "00000000" and fields[2] != "00000000":
            return socket.inet_ntoa(bytes.fromhex(fields[2])[::-1])
    return ""
