"""The line that says that all is there: what answers where, and what the program goes by; and the
line that says that the end was not in time.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from ambassador import __version__, log
from ambassador.control.reconciler import Reconciler
from ambassador.core.phase import Phase
from ambassador.core.working import not_working
from ambassador.settings import Settings
from ambassador.spec import format_address

__all__ = ["tell_cut", "tell_ready", "until_working"]

_LOOK = 0.1  # seconds between two looks whether endpoints work


def tell_ready(settings: Settings, routes: int, admin: Path | None) -> None:
    """Log that `routes` are carried; `admin` is the admin socket, None where there is none."""
    facts = {
        "name": settings.name,
        "configuration": settings.config,
        "state": settings.state,
        "admin": str(admin or ""),
        "api": format_address(settings.api) if settings.api else "",
        "metrics": format_address(settings.metrics) if settings.metrics else "",
    }
    told = ", ".join(f"{name} {place}" for name, place in facts.items() if place)
    text = f"ambassador {__version__} is ready: {routes} route{'' if routes == 1 else 's'}"
    text = f"{text}; {told}" if told else text
    log.event(log.INFO, "ready", text, version=__version__, routes=routes, **facts)


async def until_working(reconciler: Reconciler) -> None:
    """Return when each route has an endpoint that works; meanwhile `waits_for` says which has
    none, and the log when that is another.
    """
    told = ""
    while reconciler.phase is not Phase.STOPPING:
        found = not_working(await reconciler.look())
        reconciler.waits_for = found
        if not found:
            return
        if found != told:
            log.event(log.WARNING, "waits_for_endpoints", f"not ready yet: {found}")
            told = found
        await asyncio.sleep(_LOOK)


def tell_cut(sessions: int, grace: float) -> None:
    """Log that so many `sessions` were open still after `grace` seconds; nothing for 0."""
    if sessions:
        what = f"{sessions} sessions were" if sessions > 1 else "1 session was"
        text = f"{what} still open after {grace:g} s and cut"
        log.event(log.WARNING, "sessions_cut", text, sessions=sessions)
