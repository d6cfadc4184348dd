"""The one loop that leads what is installed to what is desired.

Everything that changes routes goes through `Reconciler`, one thing at a time. A source that fails
or says something wrong is not an empty source: its last good snapshot stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import StrEnum

from ambassador import log
from ambassador.core.describe import describe
from ambassador.core.merge import merge
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step, plan
from ambassador.errors import AmbassadorError, ConfigError
from ambassador.model import Desired, Snapshot
from ambassador.ports import Plane, RouteStatus, Source

__all__ = ["Phase", "Reconciler", "read"]


class Phase(StrEnum):
    """Where the program stands in its life; only `ready` answers a readiness check with yes."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


def read(sources: Sequence[Source]) -> tuple[Desired, tuple[Snapshot, ...]]:
    """Return the merged wish of `sources` and what each said.

    A later source is asked only while those before it name no route: /etc/hosts is a guess that
    must not add to what was said outright. Raises ConfigError and SourceError.
    """
    snapshots: list[Snapshot] = []
    for source in sources:
        try:
            snapshots.append(source.read())
        except ConfigError as error:
            notes = tuple(note for snapshot in snapshots for note in snapshot.notes)
            raise ConfigError(*error.problems, notes=(*notes, *error.notes)) from None
        if snapshots[-1].routes:
            break
    return merge(snapshots), tuple(snapshots)


class Reconciler:
    """Owns the routes: reads the sources, plans, has the plane apply, and says what happened."""

    def __init__(self, sources: Sequence[Source], plane: Plane) -> None:
        self.phase = Phase.STARTING
        self._sources = sources
        self._plane = plane
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Install every route or none. Raises ConfigError, SourceError and PlaneError."""
        async with self._lock:
            desired, snapshots = read(self._sources)
            for snapshot in snapshots:
                for note in snapshot.notes:
                    log.event(log.WARNING, "note", note, source=snapshot.source)
            await self._lead_to(desired)
            self.phase = Phase.READY

    async def reload(self) -> bool:
        """Read the sources again and touch only what changed; on failure nothing changes.

        Return whether the reload was good.
        """
        async with self._lock:
            if self.phase is not Phase.READY:
                return False
            try:
                desired, _ = read(self._sources)
                steps = await self._lead_to(desired)
            except AmbassadorError as error:
                log.event(
                    log.ERROR,
                    "reload_failed",
                    f"reload failed, everything stays as it was: {error}",
                    error=str(error),
                )
                return False
            count = f"{len(steps)} change{'' if len(steps) == 1 else 's'}"
            log.event(log.INFO, "reloaded", f"reloaded: {count}", changes=len(steps))
            return True

    def status(self) -> Sequence[RouteStatus]:
        """Return what the plane knows of each route."""
        return self._plane.status()

    async def stop(self, grace: float) -> int:
        """Take what waits, let sessions end for `grace` seconds, cut the rest.

        Return how many were cut.
        """
        async with self._lock:
            self.phase = Phase.STOPPING
            return await self._plane.drain(grace)

    async def _lead_to(self, desired: Desired) -> Sequence[Step]:
        observed = [status.route for status in self._plane.status()]
        steps = plan(observed, desired.routes)
        await self._plane.apply(steps)
        for step in steps:
            self._say(step)
        return steps

    def _say(self, step: Step) -> None:
        match step:
            case AddRoute(route):
                name, text = "route_started", f"{describe(route)}  plane {self._plane.name}"
            case ChangeRoute(new=route):
                name, text = "route_changed", f"{describe(route)}  plane {self._plane.name}"
            case RemoveRoute(route):
                name, text = "route_removed", f"{describe(route)}  removed"
        log.event(
            log.INFO,
            name,
            text,
            route=route.name,
            line=describe(route),
            plane=self._plane.name,
            origin=route.origin,
        )
