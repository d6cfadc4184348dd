"""Whole routes from etcd, as they are known: nothing is asked here."""

from __future__ import annotations

from ambassador.model import Route, Snapshot

__all__ = ["NAME", "FleetSource"]

NAME = "etcd"


class FleetSource:
    """Implements ports.Source: says the routes that were `taken` last."""

    name = NAME
    guess = False

    def __init__(self) -> None:
        self.routes: tuple[Route, ...] = ()

    def read(self) -> Snapshot:
        """Return the routes; see ports.Source."""
        # What somebody far away wrote gives way to what is said here.
        return Snapshot(self.name, self.routes, yields=True)
