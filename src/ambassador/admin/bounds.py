"""How much is answered at one time: requests, followers of events, scrapes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from ambassador.tasks import spawn

__all__ = ["FOLLOWERS", "REQUESTS", "Bounds", "Followers", "Pace", "Shared"]

REQUESTS = 96  # at one time; a door has room for more connections, so that callers get in
FOLLOWERS = 48  # of them may be answers that go on as long as both sides live
_BURST = 0.5  # seconds' worth of requests that may come at once
# A text takes as long to make as there are routes; for so many times as long no other is made.
_REST = 4.0


class Bounds:
    """Requests that are being answered at one time; one that is still coming is none yet."""

    def __init__(self, most: int = REQUESTS) -> None:
        self._most = most
        self._count = 0

    @property
    def full(self) -> bool:
        """Whether no other is answered now."""
        return self._count >= self._most

    def __enter__(self) -> None:
        self._count += 1

    def __exit__(self, *_: object) -> None:
        self._count -= 1


class Pace:
    """At most `rate` a second, half a second's worth of them at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._due = 0.0

    async def turn(self) -> None:
        """Wait where they come too fast."""
        now = asyncio.get_running_loop().time()
        self._due = max(self._due, now - _BURST) + 1 / self._rate
        if self._due > now:
            await asyncio.sleep(self._due - now)


class Followers:
    """Callers that follow what happens."""

    def __init__(self, most: int = FOLLOWERS) -> None:
        self._most = most
        self._count = 0

    @property
    def full(self) -> bool:
        """Whether no other may follow."""
        return self._count >= self._most

    async def counted(self, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield `lines`, and count for as long."""
        self._count += 1
        try:
            async for line in lines:
                yield line
        finally:
            self._count -= 1


class Shared:
    """One answer for all callers that ask while it is being made next: what takes long is made
    once at a time, and not without a pause.
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
