"""An event loop whose clock a test puts forward, instead of waiting."""

from __future__ import annotations

import asyncio

__all__ = ["LoopWithClock", "put_forward"]


class LoopWithClock(asyncio.SelectorEventLoop):
    """What is due by the clock as it was put happens in the loop's next turn."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def put_forward(seconds: float) -> None:
    """Put the clock of the running loop forward. No timeout of anybody else may be running."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LoopWithClock)
    loop.ahead += seconds
