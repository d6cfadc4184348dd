"""The one loop that brings what is installed to what is desired.

Everything that changes routes goes through `Reconciler`, one change at a time: what the sources
say, what the operator wants, what probes find. A source that fails or has an error is not an empty
source: its last good snapshot stays in force.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.control.apply import Applier
from ambassador.control.commands import Commands, executor
from ambassador.control.denied import Denied
from ambassador.control.dismiss import dismiss
from ambassador.control.events import Events
from ambassador.control.networks import renew
from ambassador.control.noted import Noted
from ambassador.control.owed import Owed
from ambassador.control.record import Record
from ambassador.control.reloads import Reloads
from ambassador.control.remote import Remote
from ambassador.control.snapshots import SnapshotReader, read
from ambassador.control.stack import OfHost, PlaneStack, same
from ambassador.control.switches import Switches
from ambassador.core.known import Place, SourceView
from ambassador.core.phase import PHASES, Phase, Turn
from ambassador.core.plan import Step
from ambassador.core.wish import Placed, Wish
from ambassador.errors import AmbassadorError, PlaneError, RunError
from ambassador.model import Address, Finding, Health, Route, RouteKey, Snapshot
from ambassador.ports import (
    AddressProbed,
    Admission,
    Earlier,
    Engines,
    Front,
    HistoryStore,
    MemoryStore,
    Plane,
    Reloadable,
    RouteStatus,
    Source,
    StateStore,
    Verifier,
)
from ambassador.tasks import spawn

if TYPE_CHECKING:
    from ambassador.core.commands import Command, Result
    from ambassador.core.ending import DrainUntil, SlowCut
    from ambassador.core.follow.lead import Lead
    from ambassador.core.results import IdentityView, NumbersView, ShortageView

__all__ = ["Phase", "Reconciler", "read"]


class Reconciler:
    """Owns the routes: reads the sources, plans, has the planes apply, and logs what happened.

    `plane` listens for every route; each of `fronts` is in front of the planes before it.
    `verifier` probes endpoints before and after a move, `store` keeps the operator's wishes,
    `memories` what followers decided and `history` what was changed (without a store, these end
    with the program). `read_assignments` returns the routes of an `Add` (without it, `Add` is
    refused), `installed` is called after each change, `reloadables` are read again at each reload,
    `earlier` are the processes before this one, `admission` adds to each route the clients that may
    come in (without it, all may), `of_host` adds to `status` what this host does to every route,
    `placed` gives routes the endpoints of their service, `engines` describes containers.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        plane: Plane,
        *fronts: Front,
        verifier: Verifier | None = None,
        store: StateStore | None = None,
        memories: MemoryStore | None = None,
        history: HistoryStore | None = None,
        read_assignments: Callable[[Sequence[str]], Snapshot] | None = None,
        installed: Callable[[Sequence[Step]], Awaitable[None]] | None = None,
        reloadables: Sequence[Reloadable] = (),
        earlier: Earlier | None = None,
        shortages: Callable[[], Sequence[ShortageView]] = tuple,
        counted: Callable[[RouteStatus], NumbersView] | None = None,
        admission: Admission | None = None,
        of_host: OfHost = same,
        engines: Engines | None = None,
        placed: Placed = lambda route: route,
    ) -> None:
        self.phase = Phase.STARTING
        self.waits_for = ""  # routes without an endpoint that works, where the start waits for them
        self.events = Events()
        self._admission = admission
        admit = admission or (lambda route: route)
        self._snapshots = SnapshotReader(sources, admit)
        self._plane = PlaneStack(plane, fronts, earlier, of_host)
        self._denied = Denied(self._plane)

        async def tell(steps: Sequence[Step]) -> None:
            await self._denied.changed(steps)
            if installed is not None:
                await installed(steps)

        self._applier = Applier(self._plane, store, tell, admit, placed)
        self.switches = Switches(self._applier, self._plane, memories)
        self.record = Record(history)
        self._noted = Noted()
        self._lock = asyncio.Lock()
        self._owed = Owed(self._applier, self._lock)
        self._reloads = Reloads(self._snapshots, reloadables, self._applier)
        self.remote = Remote(self._reloads, self._lock, lambda: self.phase)
        make = partial(
            executor,
            self._applier,
            self._plane,
            self.switches,
            self._noted,
            verifier=verifier,
            read_assignments=read_assignments,
            shortages=shortages,
            counted=counted,
            record=self.record,
            engines=engines,
        )
        parts = self._lock, self._reloads, self._owed
        self._commands = Commands(make, *parts, lambda: self.phase)

    def keep_wishes(self, keep: Callable[[Collection[Wish]], None]) -> None:
        """Call `keep` with the operator's wishes each time they or their history change."""

        def changed() -> None:
            keep(tuple(self._applier.wishes.values()))

        self._applier.wished = self.record.changed = changed

    @property
    def endings(self) -> tuple[DrainUntil | SlowCut, ...]:
        """Actions of the operator that go on for a while."""
        return self._commands.endings

    def resume(self, endings: Iterable[DrainUntil | SlowCut]) -> None:
        """Continue `endings`, which an earlier process has begun."""
        self._commands.executor.deadlines.resume(endings)

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes that are installed now."""
        return self._applier.routes

    @property
    def sources(self) -> tuple[SourceView, ...]:
        """When each source was last read, and what has been wrong with it since."""
        return self._snapshots.views

    @property
    def identity(self) -> IdentityView | None:
        """Our identity in TLS."""
        return self._noted.identity()

    def known_as(self, identity: Callable[[], IdentityView | None]) -> None:
        """Have `status` show what `identity` returns."""
        self._noted.identity = identity

    def asked_at(self, place: Place) -> None:
        """Have `status` show where the program can be reached."""
        self._noted.place = place

    async def start(self) -> None:
        """Install every route or none, as the sources say and the operator wanted before.

        Raises ConfigError, SourceError and PlaneError.
        """
        async with self._lock:
            self._applier.load()
            self.record.load()
            desired, snapshots = self._snapshots.read()
            self.switches.load(desired)
            for snapshot in snapshots:
                for note in snapshot.notes:
                    log.event(log.WARNING, "note", note, source=snapshot.source)
            await self._applier.source(desired, "start")
            self._snapshots.good(snapshots)
            for key, wish in self._applier.wishes.items():
                text = f"{wish.route}  {self._applier.differs(key)}"
                log.event(log.WARNING, "differs", text, route=wish.route)
            self.phase = PHASES[self.phase, Turn.INSTALLED]

    async def reload(self, *, by_operator: bool = True) -> bool:
        """Read the sources again and touch only what changed; on failure nothing changes. Where the
        operator did not ask for it, a source that has lost most of its routes counts as a failure.

        Return whether the reload was good. Raises exceptions that are not ours, after logging them.
        """
        async with self._lock:
            if self.phase is not Phase.READY:
                return False
            try:
                await self._reloads.do("reload", loss=by_operator)
            except AmbassadorError:
                return False
            return True

    async def judge(
        self,
        key: RouteKey,
        address: Address,
        health: Health,
        reason: str = "",
        addresses: Sequence[AddressProbed] = (),
    ) -> None:
        """Take over what probes conclude of an endpoint, by its address as it is written, and of
        the `addresses` of its name, where there are several; apply what follows for its sessions.
        Raises PlaneError where the planes cannot.
        """
        down = tuple(one.address for one in addresses if one.health is Health.UNHEALTHY)
        found = Finding(health, down)
        async with self._lock:
            if self.phase is not Phase.READY or not self._applier.has(key, address):
                return
            self._noted.reasons[key, address] = reason
            self._noted.addresses[key, address] = addresses
            if self._applier.verdicts.get((key, address), Finding()) != found:
                await self._applier.judge({(key, address): found})

    async def renew_networks(self, path: str) -> None:
        """Take over the networks in the file at `path`, which has changed: in force on return.
        Where the file makes no sense, what it said before stays, and log and `status` say so.
        """
        async with self._lock:
            if self.phase is Phase.READY and self._admission is not None:
                await renew(path, self._admission, self._applier, self._snapshots)

    def look_for_denied(self) -> None:
        """End sessions that an earlier process admitted and this one would not."""
        self._denied.look(self.routes)

    async def lead(self, key: RouteKey, lead: Lead) -> None:
        """Take over where the follower of the route `key` leads: in force on return. It does not
        wait for commands. Raises PlaneError where the planes cannot, or not yet.
        """
        if self.phase is not Phase.READY:
            raise PlaneError(f"the ambassador is {self.phase}")
        await self.switches.lead(key, lead)

    async def execute(
        self,
        command: Command,
        *,
        who: str = "operator",
        since: float | None = None,
        gone: Callable[[], bool] = lambda: False,
    ) -> Result:
        """Do what `command` says, one thing at a time, and return its `result`.

        `who` is kept with the change and shown in `status`: "uid 0 on the admin socket". The time
        that a command may take counts from `since` (seconds since 1970; now, where it is unknown).
        A command whose caller has `gone` before it began is not begun. When this returns, all is
        done (actions that go on by design, a drain or a cut at a rate, have begun) and, with a
        store, kept. When it raises, nothing has changed:

        ConfigError        a field makes no sense; the problem's `where` is the field's name
        NotFoundError      no such route (with the nearest name), endpoint or session
        ConflictError      a hold of a held route, a release of another, a move to where it leads
        NotVerifiedError   a new endpoint does not answer, or not in time
        TimedOutError      not begun in time
        RunError           the planes or the store could not; not before `start` or after `stop`

        Commands whose `changes` is false neither wait for others nor make others wait. Cancelling
        the caller does not stop what has begun.
        """
        if not command.changes:
            return await self._commands.answer(command, self._snapshots, self.record)
        return await self._commands.do(command, who, since, gone)

    def status(self, routes: Sequence[Route] | None = None) -> Sequence[RouteStatus]:
        """Return what the planes know of each of `routes`, or of all."""
        return self._plane.status(routes)

    async def look(self) -> Sequence[RouteStatus]:
        """Return what the planes know of all routes, with turns for other work of the loop."""
        return await self._plane.look(self.routes)

    async def measure(self) -> None:
        """Bring the numbers of `status` up to date."""
        await self._plane.measure()

    @asynccontextmanager
    async def still(self, passes: bool = False) -> AsyncIterator[tuple[Wish, ...]]:
        """Keep everything unchanged inside; gives the operator's wishes. Raises RunError when this
        is not possible now: also where clients wait, unless open sessions pass to the process that
        asks (`passes`).
        """
        if not passes:
            await self.switches.settled()
        async with self._lock, self._applier.lock:
            if self.phase is not Phase.READY:
                raise RunError(f"the ambassador is {self.phase}")
            if not passes:
                self.switches.refuse_waiting()
            yield tuple(self._applier.wishes.values())

    def leave(self) -> None:
        """Another process has the routes: only look after open sessions."""
        self._commands.close()
        self._denied.close()
        self._owed.end()
        self.phase = PHASES[self.phase, Turn.LEFT]

    async def stop(self, grace: float) -> int:
        """Accept clients in the backlogs, let sessions end for `grace` seconds, cut the rest; held
        clients are reset at once, since nothing can release them any more.

        Return how many sessions were cut after the grace.
        """
        self._commands.close()  # the stop does not wait for a long command
        self._denied.close()
        async with self._lock:
            await self._applier.repay()
            self._owed.end()
            self.phase = PHASES[self.phase, Turn.STOPPED]
            dismissing = spawn(dismiss(self._plane, self.routes), "dismiss clients that are held")
            try:
                return await self._plane.drain(grace)
            finally:
                dismissing.cancel()
