"""The one loop that leads what is installed to what is desired.

Everything that changes routes goes through `Reconciler`, one thing at a time. A source that fails
or says something wrong is not an empty source: its last good snapshot stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from ambassador import log
from ambassador.core.commands import Command, Result
from ambassador.core.describe import describe
from ambassador.core.merge import merge
from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step, plan, undo
from ambassador.errors import AmbassadorError, ConfigError, PlaneError
from ambassador.events import Events
from ambassador.model import Desired, Route, Snapshot
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
    """Owns the routes: reads the sources, plans, has the planes apply, and says what happened.

    `plane` listens for every route; each of `fronts` stands in front of those before it.
    """

    def __init__(self, sources: Sequence[Source], plane: Plane, *fronts: Plane) -> None:
        self.phase = Phase.STARTING
        self.events = Events()
        self._sources = sources
        self._plane = plane
        self._fronts = fronts
        self._routes: tuple[Route, ...] = ()
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

    async def execute(self, command: Command, *, who: str = "operator") -> Result:
        """Do what `command` says, one thing at a time, and return its `result`.

        `who` is kept with the change and shown in `status`: "uid 0 on the admin socket". When it
        returns, all is done (what runs on by design, a drain or a cut at a rate, has begun) and,
        with a store, kept. When it raises, nothing has changed:

        ConfigError        a field makes no sense; the problem's `where` is the field's name
        NotFoundError      no such route (with the nearest name), endpoint or session
        ConflictError      a hold of a held route, a release of another, a move to where it leads
        NotVerifiedError   a new endpoint does not answer
        TimedOutError      not done in time
        RunError           the planes or the store could not; not before `start` or after `stop`

        Commands whose `changes` is false neither wait for others nor are kept waiting by them.
        """
        raise NotImplementedError

    def status(self, routes: Sequence[Route] | None = None) -> Sequence[RouteStatus]:
        """Return what the planes know of each of `routes`, or of all."""
        statuses = self._plane.status(routes)
        for front in self._fronts:
            statuses = [
                _joined(behind, ahead)
                for behind, ahead in zip(statuses, front.status(routes), strict=True)
            ]
        return statuses

    async def measure(self) -> None:
        """Bring the numbers of `status` up to date."""
        for plane in (self._plane, *self._fronts):
            try:
                await plane.measure()
            except PlaneError as error:
                log.event(log.WARNING, "not_measured", str(error), plane=plane.name)

    async def stop(self, grace: float) -> int:
        """Take what waits, let sessions end for `grace` seconds, cut the rest.

        Return how many were cut.
        """
        async with self._lock:
            self.phase = Phase.STOPPING
            planes = (*reversed(self._fronts), self._plane)
            return sum(await asyncio.gather(*(plane.drain(grace) for plane in planes)))

    async def _lead_to(self, desired: Desired) -> Sequence[Step]:
        steps = plan(self._routes, desired.routes)
        await self._apply(steps)
        self._routes = desired.routes
        there = [_route(step) for step in steps if not isinstance(step, RemoveRoute)]
        statuses = iter(self.status(there))
        for step in steps:
            self._say(step, None if isinstance(step, RemoveRoute) else next(statuses))
        return steps

    async def _apply(self, steps: Sequence[Step]) -> None:
        """Have every plane perform its part, or none.

        A route is behind before it is in front, and leaves the front before it leaves what is
        behind: what a front lets through is always taken.
        """
        for plane in (self._plane, *self._fronts):
            await plane.prepare(steps)
        removals = tuple(step for step in steps if isinstance(step, RemoveRoute))
        others = tuple(step for step in steps if not isinstance(step, RemoveRoute))
        parts: list[tuple[Plane, Sequence[Step]]] = [
            *((front, removals) for front in reversed(self._fronts)),
            (self._plane, steps),
            *((front, others) for front in self._fronts),
        ]
        for number, (plane, part) in enumerate(parts):
            try:
                await plane.apply(part)
            except AmbassadorError:
                for former, done in reversed(parts[:number]):
                    await former.apply(undo(done))
                raise

    def _say(self, step: Step, status: RouteStatus | None) -> None:
        route, line = _route(step), describe(_route(step))
        plane, why = (status.plane, status.why) if status else ("", "")
        end = f"plane {plane} ({why})" if why else f"plane {plane}"
        match step:
            case AddRoute():
                name = "route_started"
            case ChangeRoute():
                name = "route_changed"
            case RemoveRoute():
                name, end = "route_removed", "removed"
        log.event(
            log.INFO,
            name,
            f"{line}  {end}",
            route=route.name,
            line=line,
            plane=plane,
            why=why,
            origin=route.origin,
        )


def _route(step: Step) -> Route:
    return step.new if isinstance(step, ChangeRoute) else step.route


def _joined(behind: RouteStatus, ahead: RouteStatus) -> RouteStatus:
    """Return what two planes know of one route; the one ahead knows who has new sessions."""
    return replace(
        ahead,
        opened=behind.opened + ahead.opened,
        open=behind.open + ahead.open,
        refused=behind.refused + ahead.refused,
        to_upstream=behind.to_upstream + ahead.to_upstream,
        to_client=behind.to_client + ahead.to_client,
    )
