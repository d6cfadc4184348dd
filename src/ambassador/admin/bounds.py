"""How much is answered at one time: requests, followers of events, scrapes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from ambassador.tasks import spawn

__all__ = ["FOLLOWERS", "REQUESTS", "Bounds", "Followers", "Pace", "Shared"]

REQUESTS = 96  # at one time; a door takes more connections, so that the others get an answer, too
FOLLOWERS = 48  # requests at one time that follow the events, until one side ends
_BURST = 0.5  # seconds' worth of requests that may come at once
# After an answer that took N seconds to make, the next is not begun for N times this.
_REST = 4.0


class Bounds:
    """Counts the requests that are being answered now; a request that is still being received does
    not count yet.
    """

    def __init__(self, most: int = REQUESTS) -> None:
        self._most = most
        self._count = 0

    @property
    def full(self) -> bool:
        """Whether no further request is answered now."""
        return self._count >= self._most

    def __enter__(self) -> None:
        self._count += 1

    def __exit__(self, *_: object) -> None:
        self._count -= 1


class Pace:
    """At most `rate` requests a second, half a second's worth of them at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._due = 0.0

    async def turn(self) -> None:
        """Wait if requests come too fast."""
        now = asyncio.get_running_loop().time()
        self._due = max(self._due, now - _BURST) + 1 / self._rate
        if self._due > now:
            await asyncio.sleep(self._due - now)


class Followers:
    """Counts the callers that follow the events."""

    def __init__(self, most: int = FOLLOWERS) -> None:
        self._most = most
        self._count = 0

    @property
    def full(self) -> bool:
        """Whether no further caller may follow."""
        return self._count >= self._most

    async def counted(self, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield `lines`; the caller counts until they end."""
        self._count += 1
        try:
            async for line in lines:
                yield line
        finally:
            self._count -= 1


class Shared:
    """One answer for all callers that wait for the next one. Only one answer is made at a time, and
    there is a pause after each, since making one may take long.
    """

    def __init__(self, make: Callable[[], Awaitable[Sequence[bytes]]]) -> None:
        self._make = make
        self._next: asyncio.Task[Sequence[bytes]] | None = None
        self._lock = asyncio.Lock()
        self._not_before = 0.0

    async def __call__(self) -> Sequence[bytes]:
        """Return an answer that was begun after this call."""
        if self._next is None:
            self._next = spawn(self._made(), "scrape")
        return await asyncio.shield(self._next)

    async def _made(self) -> Sequence[bytes]:
        loop = asyncio.get_running_loop()
        async with self._lock:
            await asyncio.sleep(max(0.0, self._not_before - loop.time()))
            self._next = None  # a caller that asks from now on gets the next one
            began = loop.time()
            try:
                return await self._make()
            finally:
                ended = loop.time()
                self._not_before = ended + (ended - began) * _REST
