"""Addresses with a port of their own: `10.0.0.2#6380`. Pure.

Usually a DNS name gives addresses and the endpoint gives the port; where a container publishes a
port, or an SRV record names one, each address has its own.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = ["at"]


@lru_cache(4096)
def at(address: str, port: int) -> tuple[str, int]:
    """Return the IP literal of `address`, and its own port where it has one, else `port`."""
    ip, mark, own = address.partition("#")
    return (ip, int(own)) if mark else (address, port)
