"""The address family of a client, and whether an endpoint accepts connections."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

__all__ = ["answering", "family_of"]

_PATIENCE = 1.0  # seconds for an address to answer


def family_of(client: object) -> bool | None:
    """Return whether a client, as accept(2) gives it, has IPv6; None where the kernel plane never
    forwards such clients: over loopback, a link-local address or a unix socket.
    """
    if not isinstance(client, tuple):
        return None
    address = ip_address(str(client[0]).partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if address.is_loopback or (address.version == 6 and address.is_link_local):
        return None
    return address.version == 6


async def answering(address: str, port: int) -> bool:
    """Tell whether a program accepts connections there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        try:
            async with asyncio.timeout(_PATIENCE):
                await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except (OSError, TimeoutError):
            return False
    return True
