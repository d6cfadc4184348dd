"""What all sources say together, and what has been wrong with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ambassador import log
from ambassador.core.known import SourceView
from ambassador.core.loss import most_lost
from ambassador.core.merge import merge
from ambassador.core.precedence import settled, yielded
from ambassador.errors import ConfigError, LostRoutesError, Problem, in_a_line, in_words
from ambassador.model import Desired, Route, Snapshot
from ambassador.ports import Source

__all__ = ["SnapshotReader", "read"]

# The entry in `status`, like a source, for an error of all sources together.
_TOGETHER = "routes"
_SHOWN = 5  # names of routes in one line


def read(
    sources: Sequence[Source],
    asking: Callable[[str], None] = lambda _name: None,
    said: Callable[[Snapshot], None] = lambda _snapshot: None,
    admission: Callable[[Route], Route] = lambda route: route,
) -> tuple[Desired, tuple[Snapshot, ...]]:
    """Return the merged routes of `sources` and what each source said.

    A source has precedence over later ones that name the same route; a source that guesses is read
    only while no source before it has routes. `asking` is called with the name of each source
    before it is read, `said` with its snapshot. `admission` adds to each route the clients that may
    come in; where it raises, a route of a source that yields is left out, and for any other source
    this is an error. Raises ConfigError, SourceError.
    """
    snapshots: list[Snapshot] = []
    for source in sources:
        if source.guess and any(snapshot.routes for snapshot in snapshots):
            continue
        asking(source.name)
        try:
            snapshots.append(source.read())
        except ConfigError as error:
            notes = tuple(note for snapshot in snapshots for note in snapshot.notes)
            raise ConfigError(*error.problems, notes=(*notes, *error.notes)) from None
        said(snapshots[-1])
    asking(_TOGETHER)
    together = yielded(_usable(one, admission) for one in settled(snapshots))
    merged = merge(together)
    return admitted(merged, admission), together


def _usable(snapshot: Snapshot, admission: Callable[[Route], Route]) -> Snapshot:
    """Return `snapshot`; if it yields, without the routes for which `admission` raises."""
    if not snapshot.yields:
        return snapshot
    routes, left_out = list[Route](), list(snapshot.left_out)
    for route in snapshot.routes:
        try:
            admission(route)
        except ConfigError as error:
            left_out.append(f"{route.origin} is not used: {in_a_line(error)}")
        else:
            routes.append(route)
    return replace(snapshot, routes=tuple(routes), left_out=tuple(left_out))


def admitted(desired: Desired, admission: Callable[[Route], Route]) -> Desired:
    """Return `desired` with the clients that may come in at each route. Raises ConfigError with all
    errors.
    """
    routes, problems = list[Route](), list[Problem]()
    for route in desired.routes:
        try:
            routes.append(admission(route))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return Desired(tuple(routes))


class _Said:
    """Implements ports.Source: returns an earlier snapshot."""

    guess = False

    def __init__(self, snapshot: Snapshot) -> None:
        self.name = snapshot.source
        self._snapshot = snapshot

    def read(self) -> Snapshot:
        """Return the snapshot; see ports.Source."""
        return self._snapshot


class SnapshotReader:
    """Reads the same sources again and again, and remembers the results."""

    def __init__(
        self,
        sources: Sequence[Source],
        admission: Callable[[Route], Route] = lambda route: route,
    ) -> None:
        self._admission = admission
        self._views: tuple[SourceView, ...] = ()
        self._stale: dict[str, SourceView] = {}
        self._sources = sources
        self._current = _TOGETHER
        self._said: list[Snapshot] = []  # of the last time
        self._good: dict[str, Snapshot] = {}
        self._raw: dict[str, Snapshot] = {}  # before routes gave way to others

    @property
    def views(self) -> tuple[SourceView, ...]:
        """The sources as `status` shows them."""
        if not self._stale:
            return self._views
        known = {view.name for view in self._views}
        return (
            *(self._with_staleness(view) for view in self._views),
            *(view for name, view in self._stale.items() if name not in known),
        )

    def _with_staleness(self, view: SourceView) -> SourceView:
        found = self._stale.get(view.name)
        if found is None:
            return view
        error = "; ".join(text for text in (view.error, found.error) if text)
        return replace(view, error=error, stale=found.stale, read=found.read or view.read)

    def stale(self, name: str, why: str, since: float, read: float) -> None:
        """Note what is wrong with the data of the source called `name`; empty `why`: nothing is."""
        if why:
            self._stale[name] = SourceView(name, read, why, since)
        else:
            self._stale.pop(name, None)

    def read(self, *, loss: bool = True, only: str = "") -> tuple[Desired, tuple[Snapshot, ...]]:
        """Return what `read` returns, and raise what it raises. Where no `loss` is accepted, also
        raise LostRoutesError where a source has lost most of its routes since its last good
        snapshot. With `only`, no other source is read: their last snapshots are used.
        """
        self._said = []
        take = self._take if loss else self._take_with_care
        sources = self._sources
        if only:
            sources = [
                one if one.name == only or one.name not in self._raw else _Said(self._raw[one.name])
                for one in sources
            ]
        return read(sources, self._ask, take, self._admission)

    def good(self, snapshots: Sequence[Snapshot]) -> None:
        """Note that `snapshots` are in force now, and log which routes were newly left out; at the
        start, notes are logged before this.
        """
        now = time.time()
        for snapshot in snapshots:
            before = self._good.get(snapshot.source)
            notes = [] if before is None else [n for n in snapshot.notes if n not in before.notes]
            known = before.left_out if before is not None else ()
            for text in (*notes, *(one for one in snapshot.left_out if one not in known)):
                log.event(log.WARNING, "note", text, source=snapshot.source)
        self._good = {snapshot.source: snapshot for snapshot in snapshots}
        self._raw = {snapshot.source: snapshot for snapshot in self._said}
        self._views = tuple(
            SourceView(snapshot.source, now, "; ".join(snapshot.left_out)) for snapshot in snapshots
        )

    def bad(self, error: Exception, name: str = "") -> None:
        """Note that what was read last could not be used; the last good snapshots stay in force.

        The error belongs to `name`, or to the source it is about, or else to all together
        ("routes"). Sources that could be read have no error any more.
        """
        name = name or self._culprit(error)
        over = {snapshot.source for snapshot in self._said}
        views = [
            replace(view, error="") if view.name in over else view
            for view in self._views
            if view.name not in (name, _TOGETHER)
        ]
        known = [view.read for view in self._views if view.name == name]
        place = next((i for i, view in enumerate(self._views) if view.name == name), len(views))
        views.insert(place, SourceView(name, known[0] if known else 0.0, in_words(error, 10_000)))
        self._views = tuple(views)

    def well(self, name: str) -> None:
        """Note that `name`, which `bad` was called for, is in order again."""
        self._views = tuple(view for view in self._views if view.name != name or view.read)

    def _culprit(self, error: Exception) -> str:
        """Return the name of the source that `error` is about."""
        if self._current != _TOGETHER:
            # A guess is read only because an earlier source has no routes any more.
            empty = [one.source for one in self._said if not one.routes and self._had(one.source)]
            return empty[0] if empty else self._current
        wrong = {one.where for one in error.problems} if isinstance(error, ConfigError) else set()
        return next(
            (
                snapshot.source
                for snapshot in reversed(self._said)
                if any(route.origin in wrong for route in snapshot.routes)
            ),
            _TOGETHER,
        )

    def _had(self, name: str) -> Sequence[object]:
        return self._good[name].routes if name in self._good else ()

    def _ask(self, name: str) -> None:
        self._current = name

    def _take(self, snapshot: Snapshot) -> None:
        self._said.append(snapshot)

    def _take_with_care(self, snapshot: Snapshot) -> None:
        good = self._good.get(snapshot.source)
        if (
            good is not None
            and not snapshot.yields
            and (lost := most_lost(good.routes, snapshot.routes))
        ):
            names = ", ".join(lost[:_SHOWN]) + (", ..." if len(lost) > _SHOWN else "")
            raise LostRoutesError(
                f"{snapshot.source}: {len(lost)} of its {len(good.routes)} routes are gone at "
                f"once ({names}); they stay until it is confirmed: ambassador reload",
                snapshot.source,
            )
        self._take(snapshot)
