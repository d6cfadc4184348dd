"""Sessions ended one after the other, by the policy of their departure: for every plane."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ambassador import log
from ambassador.core.departure import Departure, due
from ambassador.model import Existing
from ambassador.spec import format_existing

__all__ = ["pace", "tell_leaving"]

_T = TypeVar("_T")


async def pace(
    items: Sequence[_T],
    existing: Existing,
    cut: Callable[[Sequence[_T]], Awaitable[int]],
    *,
    tick: float,
) -> int:
    """Call `cut` with those of `items` that are due by `existing`, beginning now; look again every
    `tick` seconds.

    `cut` returns how many it has ended: an item that it leaves out (it has ended by itself, or may
    stay after all) gives its turn to the next. Return how many were ended. Raises what `cut`
    raises.
    """
    loop = asyncio.get_running_loop()
    began, count, ended, left = loop.time(), len(items), 0, list(items)
    while left:
        wanted = due(existing, count, loop.time() - began) - ended
        if wanted > 0:
            piece, left = left[:wanted], left[wanted:]
            ended += await cut(piece)
        if left:
            await asyncio.sleep(tick)
    return ended


def tell_leaving(route: str, sessions: int, departure: Departure, *, where: str = "") -> None:
    """Log that `sessions` sessions of the route called `route` leave; `where` says in which
    process, if not in ours.
    """
    policy = format_existing(departure.existing)
    log.event(
        log.INFO,
        "sessions_leaving",
        f"{route}  {sessions} open sessions{where}, {departure.words}: {policy}",
        route=route,
        sessions=sessions,
        reason=departure.reason.value,
        existing=policy,
    )
