"""A source whose routes a test changes: what is wished for, or what is wrong."""

from __future__ import annotations

from ambassador.model import Route, Snapshot

__all__ = ["Wish"]


class Wish:
    """Implements ports.Source over `routes`; `error`, if set, is raised instead."""

    def __init__(
        self,
        *routes: Route,
        name: str = "wish",
        notes: tuple[str, ...] = (),
        guess: bool = False,
        yields: bool = False,
    ) -> None:
        self.name = name
        self.guess = guess
        self.yields = yields
        self.routes = routes
        self.notes = notes
        self.error: Exception | None = None
        self.reads = 0

    def read(self) -> Snapshot:
        self.reads += 1
        if self.error:
            raise self.error
        return Snapshot(self.name, self.routes, self.notes, self.yields)
