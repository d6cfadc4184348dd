"""Ask getaddrinfo(3), for names only nsswitch.conf(5) knows: mDNS, the host's own name."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

from ambassador.errors import ResolveError
from ambassador.resolve.answer import Answer

__all__ = ["ask_system"]

_TTL = 5.0  # getaddrinfo tells none


async def ask_system(name: str, why: str) -> Answer:
    """Return what libc knows of `name`. Raises ResolveError, which says `why` nobody else knew.

    libc may take many seconds and cannot be interrupted, so it runs in a thread of its own that
    the end of the program does not wait for, as it would for one of the loop's executor.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def tell(addresses: list[str]) -> None:
        if not found.done():
            found.set_result(addresses)

    def ask() -> None:
        try:
            entries = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            entries = []
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any longer
            loop.call_soon_threadsafe(tell, [str(entry[4][0]) for entry in entries])

    try:
        threading.Thread(target=ask, name=f"getaddrinfo {name}", daemon=True).start()
    except RuntimeError as error:  # can't start new thread
        raise ResolveError(f"{name} has no address: {why}, and {error}") from error
    addresses = await found
    if not addresses:
        raise ResolveError(f"{name} has no address: {why}")
    return Answer.of(addresses, _TTL)
