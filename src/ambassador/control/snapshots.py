"""What all sources say together, and what has been wrong with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ambassador.core.merge import merge
from ambassador.core.precedence import settled
from ambassador.core.results import SourceView
from ambassador.errors import AmbassadorError, ConfigError
from ambassador.model import Desired, Snapshot
from ambassador.ports import Source

__all__ = ["SnapshotReader", "read"]


def read(
    sources: Sequence[Source], asking: Callable[[str], None] = lambda _name: None
) -> tuple[Desired, tuple[Snapshot, ...]]:
    """Return the merged wish of `sources` and what each said.

    What a source says comes before what those after it say of the same route; a guess is asked
    only while nobody before it names one. `asking` hears who is asked, before it is. Raises
    ConfigError and SourceError.
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
    said = settled(snapshots)
    return merge(said), said


class SnapshotReader:
    """Reads the same sources again and again, and remembers how that went."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.views: tuple[SourceView, ...] = ()
        self._sources = sources
        self._asked = ""

    def read(self) -> tuple[Desired, tuple[Snapshot, ...]]:
        """Return what `read` returns, and raise what it raises."""
        return read(self._sources, self._ask)

    def good(self, snapshots: Sequence[Snapshot]) -> None:
        """Note that `snapshots` are what stands now."""
        now = time.time()
        self.views = tuple(SourceView(snapshot.source, now) for snapshot in snapshots)

    def bad(self, error: AmbassadorError, name: str = "") -> None:
        """Note that what was read last, or `name`, could not be used; what was good before
        stands.
        """
        name = name or self._asked
        if all(view.name != name for view in self.views):
            self.views = (*self.views, SourceView(name, 0.0))
        self.views = tuple(
            replace(view, error=str(error)) if view.name == name else view for view in self.views
        )

    def _ask(self, name: str) -> None:
        self._asked = name
