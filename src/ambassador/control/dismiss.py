"""Clients that are held when the ambassador stops: nothing can release them any more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ambassador import log
from ambassador.control.stack import PlaneStack
from ambassador.model import Reason, Route

__all__ = ["dismiss"]

_LOOK = 0.1  # seconds between two looks for clients that are held


async def dismiss(plane: PlaneStack, routes: Iterable[Route]) -> None:
    """Reset clients that are held at `routes`, also those that are accepted from a backlog only
    now; ends when it is cancelled, or when no route is held.
    """
    held = [route for route in routes if route.hold is not None]
    while held:
        found = await plane.sessions(held)
        waiting = {one.id for one in found if one.state == "held"}
        if waiting:
            told = len(waiting)
            of = "client is" if told == 1 else "clients are"
            text = f"{told} held {of} reset, since the program stops"
            log.event(log.WARNING, "held_dismissed", text, sessions=told)
            await plane.cut(waiting, Reason.SHUTDOWN)
        await asyncio.sleep(_LOOK)
