"""The consumer: it counts through the ambassador and knows nothing of a move."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from ambassador.demo.resp import ReplyError, ask

__all__ = ["Consumer", "Tally"]


@dataclass(slots=True)
class Tally:
    """What the consumer has seen so far. Times in seconds."""

    requests: int = 0
    answered: int = 0
    visits: int = 0  # the last count it was told
    lost: int = 0  # counts that were not the one before plus one
    slowest: float = 0.0
    answered_by: int = 0  # the port of the instance behind the last answer
    errors: list[str] = field(default_factory=list)

    @property
    def flawless(self) -> bool:
        """Whether every request was answered and no count was lost or told twice."""
        return (
            self.requests > 0
            and self.answered == self.requests
            and not self.errors
            and not self.lost
        )

    def heard(self, visits: int, port: int, took: float) -> None:
        """Note an answer."""
        self.answered += 1
        self.lost += visits != self.visits + 1
        self.visits = visits
        self.answered_by = port
        self.slowest = max(self.slowest, took)


class Consumer:
    """It connects anew for each INCR, as `valkey-cli INCR visits` does."""

    def __init__(self, port: int, every: float) -> None:
        self.port = port
        self.every = every
        self.tally = Tally()

    async def run(self, until: asyncio.Event) -> None:
        """Ask every `every` seconds until told to end; an error is noted and it goes on."""
        tally = self.tally
        while not until.is_set():
            began = time.monotonic()
            tally.requests += 1
            try:
                reply = await ask(self.port, "INCR visits", "CONFIG GET port")
            except (OSError, TimeoutError, ReplyError) as error:
                tally.errors.append(
                    f"request {tally.requests}: {str(error) or type(error).__name__}"
                )
            else:
                match reply:
                    case [int(visits), [_, str(port)]]:
                        tally.heard(visits, int(port), time.monotonic() - began)
                    case _:
                        tally.errors.append(f"request {tally.requests}: unexpected answer {reply}")
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + self.every):
                    await until.wait()
            except TimeoutError:
                continue
