"""The name of a client in logs, and its address. Pure."""

from __future__ import annotations

__all__ = ["client_name", "host_of"]


def client_name(address: object) -> str:
    """Return how a log names a client: `192.168.1.9:40312`, `[fd00::9]:40312`, or `unix`."""
    if not isinstance(address, tuple):
        return "unix"
    host, port = address[0], address[1]
    if host[:7] == "::ffff:":  # an IPv4 client of a dual-stack listener
        return f"{host[7:]}:{port}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_of(address: object) -> str:
    """Return the IP literal of a client, as accept(2) gives it; empty for one of a unix socket."""
    return str(address[0]) if isinstance(address, tuple) else ""
