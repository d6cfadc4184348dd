"""What all sources say together, and what has been wrong with them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from ambassador.core.merge import merge
from ambassador.core.results import SourceView
from ambassador.errors import AmbassadorError, ConfigError
from ambassador.model import Desired, Snapshot
from ambassador.ports import Source

__all__ = ["Reading", "read"]


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


class Reading:
    """Reads the same sources again and again, and remembers how that went."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.views: tuple[SourceView, ...] = ()
        self._sources = sources

    def read(self) -> tuple[Desired, tuple[Snapshot, ...]]:
        """Return what `read` returns, and raise what it raises."""
        return read(self._sources)

    def good(self, snapshots: Sequence[Snapshot]) -> None:
        """Note that `snapshots` are what stands now."""
        now = time.time()
        self.views = tuple(SourceView(snapshot.source, now) for snapshot in snapshots)

    def bad(self, error: AmbassadorError) -> None:
        """Note that what was read last could not be used; what was good before stands."""
        *others, last = self.views or (SourceView(self._sources[-1].name, 0.0),)
        self.views = (*others, replace(last, error=str(error)))
