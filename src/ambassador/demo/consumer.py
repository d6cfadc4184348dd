"""The consumers: each one counts in the service, through the ambassador, and knows of no move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ambassador.demo.resp import Reply, ReplyError, Say, connected

__all__ = ["Consumer", "Tally", "copied"]

_AGAIN = 0.02  # seconds until a request is made again after its connection broke
_COPIED = 1000  # milliseconds to wait until the replica has what was written


@dataclass(slots=True)
class Tally:
    """What all consumers have seen so far. Times in seconds."""

    requests: int = 0
    answered: int = 0
    broken: int = 0  # connections that broke during a request; the request was made again
    lost: int = 0  # counts that did not go up: an acknowledged write was lost
    slowest: float = 0.0  # the slowest answer of this part of the demonstration
    recent: float = 0.0  # the slowest answer since it was last shown
    answered_by: int = 0  # the port of the instance that gave the last answer
    told: dict[str, int] = field(default_factory=dict)  # by key, the last count in an answer
    errors: list[str] = field(default_factory=list)

    @property
    def flawless(self) -> bool:
        """Whether every request was answered and no acknowledged write was lost."""
        return (
            self.requests > 0
            and self.answered == self.requests
            and not self.errors
            and not self.lost
        )

    @property
    def visits(self) -> int:
        """How many counts have been acknowledged to all consumers together."""
        return sum(self.told.values())

    def heard(self, key: str, visits: int, port: int, took: float) -> None:
        """Note an answer."""
        self.answered += 1
        self.lost += visits <= self.told.get(key, 0)
        self.told[key] = visits
        self.answered_by = port
        self.slowest = max(self.slowest, took)
        self.recent = max(self.recent, took)


class Consumer:
    """Connects anew for each INCR, as `valkey-cli INCR visits` does.

    If there is a replica, a write counts as acknowledged once the replica has it, too (WAIT): a
    write that only the primary had is none.
    """

    def __init__(self, port: int, every: float, tally: Tally, key: str = "visits") -> None:
        self.port = port
        self.every = every
        self.tally = tally
        self.key = key

    async def run(self, until: asyncio.Event, later: float = 0.0) -> None:
        """Make a request every `every` seconds until the event is set, the first one `later`
        seconds from now. An error is noted, and the next request follows.
        """
        loop = asyncio.get_running_loop()
        await asyncio.sleep(later)
        while not until.is_set():
            began = loop.time()
            self.tally.requests += 1
            await self._request()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(began + self.every):
                    await until.wait()

    async def _request(self) -> None:
        """Make one request; make it again if its connection breaks, for five seconds at most."""
        tally, began = self.tally, time.monotonic()
        number = tally.requests
        while True:
            try:
                async with connected(self.port) as say:
                    visits, port = await self._count(say)
            except ConnectionResetError as error:
                if time.monotonic() - began > 5:
                    tally.errors.append(f"request {number}: {error}")
                    return
                tally.broken += 1
                await asyncio.sleep(_AGAIN)
            except (OSError, TimeoutError, ReplyError) as error:
                tally.errors.append(f"request {number}: {str(error) or type(error).__name__}")
                return
            else:
                tally.heard(self.key, visits, port, time.monotonic() - began)
                return

    async def _count(self, say: Say) -> tuple[int, int]:
        """Count once, and return the count and the port of the instance that counted."""
        replies = await say(f"INCR {self.key}", "CONFIG GET port", "ROLE")
        match replies:
            case [int(visits), [_, str(port)], ["master" | "slave", *rest]]:
                if copied(rest) and await say(f"WAIT 1 {_COPIED}") == [0]:
                    raise ReplyError(f"no copy has the write within {_COPIED / 1000:g} s")
                return visits, int(port)
        raise ReplyError(f"unexpected answer {replies}")


def copied(role: Sequence[Reply]) -> bool:
    """Return whether there is a replica that acknowledges: `role` is what follows "master" in the
    answer to ROLE.
    """
    match role:
        case [int(), [[_, _, str(offset)], *_]]:
            return int(offset) > 0
    return False
