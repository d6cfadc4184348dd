"""Network namespaces, and the two topologies.

    shared   consumer, ambassador and service in one namespace, over loopback, at one address,
             as in a pod; not 127.0.0.1, since the kernel forwards nothing to it
    three    one namespace each, on a bridge, as three containers of one host are

Namespaces are named files below /run/netns, as ip-netns(8) has them. None stands for the
namespace of the caller, where the machine does not let us make one.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Places", "end_places", "inside", "make_shared", "make_three"]

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_LIBC = ctypes.CDLL(None, use_errno=True)
_ROLES = ("c", "a", "s")  # consumer, ambassador, service
_CONSUMER, _AMBASSADOR, _SERVICE = "10.77.0.2", "10.77.0.3", "10.77.0.4"
_SETTINGS = {
    # More connections than the default range has numbers, within the minute that closed ones wait.
    "ipv4/ip_local_port_range": "16384 65000",
    "ipv4/tcp_tw_reuse": "1",
    "ipv4/ip_forward": "1",  # as in a Docker container
    "core/somaxconn": "4096",
}


@dataclass(frozen=True, slots=True)
class Places:
    """Where consumer, ambassador and service run, and the addresses of the last two."""

    consumer: str | None
    ambassador: str | None
    service: str | None
    ambassador_host: str
    service_host: str


@contextmanager
def inside(namespace: str | None) -> Iterator[None]:
    """Be in `namespace` with this thread: sockets made and programs started belong to it."""
    if namespace is None:
        yield
        return
    with Path("/proc/thread-self/ns/net").open("rb") as home:
        with Path(f"/run/netns/{namespace}").open("rb") as there:
            _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def make_shared(name: str) -> Places:
    """Make a namespace with nothing but loopback."""
    _make(name)
    _ip(name, f"address add {_AMBASSADOR}/32 dev lo")
    return Places(name, name, name, _AMBASSADOR, _AMBASSADOR)


def make_three(name: str) -> Places:
    """Make three namespaces on a bridge, which has a namespace of its own."""
    bridge = f"{name}w"
    _make(bridge)
    _ip(bridge, "link add bridge type bridge", "link set bridge up")
    for role, host in zip(_ROLES, (_CONSUMER, _AMBASSADOR, _SERVICE), strict=True):
        inner = name + role
        _make(inner)
        _ip(
            bridge,
            f"link add name {role} type veth peer name eth0 netns {inner}",
            f"link set dev {role} master bridge",
            f"link set dev {role} up",
        )
        _ip(inner, f"address add {host}/24 dev eth0", "link set eth0 up")
    return Places(f"{name}c", f"{name}a", f"{name}s", _AMBASSADOR, _SERVICE)


def end_places(name: str) -> None:
    """Remove the namespaces of `name`, with their links and rules."""
    for suffix in ("", "w", *_ROLES):
        if Path(f"/run/netns/{name}{suffix}").exists():
            subprocess.run(["ip", "netns", "delete", name + suffix], check=False)


def _make(name: str) -> None:
    subprocess.run(["ip", "netns", "add", name], check=True)
    _ip(name, "link set lo up")
    with inside(name):
        for setting, value in _SETTINGS.items():
            path = Path("/proc/sys/net") / setting
            if path.exists() and path.read_text().split() != value.split():
                path.write_text(value)


def _ip(namespace: str, *commands: str) -> None:
    subprocess.run(
        ["ip", "-n", namespace, "-batch", "-"], check=True, input="\n".join(commands), text=True
    )
