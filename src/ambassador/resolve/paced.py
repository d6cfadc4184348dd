"""Answers of DNS are read one after the other, with turns for other work of the loop between them.

Reading one takes dnspython 0.5 ms, and hundreds may arrive at one moment, when a server was slow.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ambassador.tasks import Slice

__all__ = ["paced"]


@cache
def paced() -> Any:
    """Return the sockets for dnspython's `resolve`. Imports dnspython."""
    import dns.asyncbackend  # noqa: PLC0415 (only routes to names pay for it)

    kind: Any = type(dns.asyncbackend.get_backend("asyncio"))

    class Paced(kind):  # type: ignore[misc]
        async def make_socket(self, *arguments: Any, **options: Any) -> Any:
            sock = await super().make_socket(*arguments, **options)
            if hasattr(sock, "recvfrom"):
                receive = sock.recvfrom

                async def recvfrom(*of: Any) -> Any:
                    answer = await receive(*of)
                    await Slice().end()
                    return answer

                sock.recvfrom = recvfrom
            return sock

    return Paced()
