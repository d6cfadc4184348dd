"""The line that says that all is there: what answers where, and what the program goes by; and the
line that says that the end was not in time.
"""

from __future__ import annotations

from pathlib import Path

from ambassador import __version__, log
from ambassador.settings import Settings
from ambassador.spec import format_address

__all__ = ["tell_cut", "tell_ready"]


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


def tell_cut(sessions: int, grace: float) -> None:
    """Log that so many `sessions` were open still after `grace` seconds; nothing for 0."""
    if sessions:
        what = f"{sessions} sessions were" if sessions > 1 else "1 session was"
        text = f"{what} still open after {grace:g} s and cut"
        log.event(log.WARNING, "sessions_cut", text, sessions=sessions)
