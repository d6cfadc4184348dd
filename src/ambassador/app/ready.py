"""Log lines about start and end: that all is ready, with what answers where and the settings in
use; and that sessions did not end in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from ambassador import __version__, log
from ambassador.control.reconciler import Reconciler
from ambassador.core.working import not_working
from ambassador.model import Route
from ambassador.planes.relay.gateway import rootless_gateway
from ambassador.ports import RouteStatus
from ambassador.settings import Settings
from ambassador.sockets.systemd import Notifier
from ambassador.spec import format_address
from ambassador.tasks import spawn

__all__ = ["Readiness", "in_a_line", "tell_cut", "tell_ready", "tell_rootless"]

_LOOK = 0.1  # seconds between two checks whether endpoints work


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
    tell_rootless(rootless_gateway())


def tell_rootless(gateway: str) -> None:
    """Log that all clients may appear as `gateway`; nothing where it is empty."""
    if gateway:
        log.event(
            log.WARNING,
            "clients_may_be_alike",
            "the engine of this container runs without root: clients of published ports may all "
            f"look like {gateway}, the gateway of its network (docs/routes.md, who may come in)",
            gateway=gateway,
        )


class Readiness:
    """Logs that the program is ready: at once, or with `wait_healthy` when each route has an
    endpoint that works. Until then `reconciler.waits_for` says which routes have none, and the log
    says it each time this changes.
    """

    def __init__(
        self, settings: Settings, notifier: Notifier, reconciler: Reconciler, admin: Path | None
    ) -> None:
        self._settings, self._notifier, self._reconciler = settings, notifier, reconciler
        self._admin = admin
        self._waiting: asyncio.Task[None] | None = None
        if settings.wait_healthy:
            reconciler.waits_for = "they are asked"

    async def begin(self, answer: Callable[[], Awaitable[None]]) -> None:
        """Start to answer requests by `answer`; then log that it is ready, or begin to wait."""
        await answer()
        if self._settings.wait_healthy:
            self._waiting = spawn(self._wait(), "wait for endpoints")
        else:
            self._say()

    def close(self) -> None:
        """Stop waiting."""
        if self._waiting is not None:
            self._waiting.cancel()

    def _say(self) -> None:
        routes = self._reconciler.routes
        self._notifier.ready(in_a_line(routes, self._reconciler.status))
        tell_ready(self._settings, len(routes), self._admin)

    async def _wait(self) -> None:
        told = ""
        while found := not_working(await self._reconciler.look()):
            self._reconciler.waits_for = found
            if found != told:
                log.event(log.WARNING, "waits_for_endpoints", f"not ready yet: {found}")
                told = found
            await asyncio.sleep(_LOOK)
        self._reconciler.waits_for = ""
        self._say()


def tell_cut(sessions: int, grace: float) -> None:
    """Log that `sessions` were still open after `grace` seconds and were cut; nothing for 0."""
    if sessions:
        what = f"{sessions} sessions were" if sessions > 1 else "1 session was"
        text = f"{what} still open after {grace:g} s and cut"
        log.event(log.WARNING, "sessions_cut", text, sessions=sessions)


def in_a_line(
    routes: Sequence[Route], status: Callable[[Sequence[Route]], Sequence[RouteStatus]]
) -> str:
    """Return a short text for one line, as `systemctl status` shows it: the number of `routes`, and
    the first five with their planes, which `status` returns.
    """
    listed = ", ".join(f"{one.route.name} ({one.plane})" for one in status(routes[:5]))
    count = f"{len(routes)} route{'' if len(routes) == 1 else 's'}"
    return f"{count}: {listed}{', ...' if len(routes) > 5 else ''}"
