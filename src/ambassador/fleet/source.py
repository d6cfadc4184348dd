"""Whole routes from etcd, as they are known: this module does not ask etcd."""

from __future__ import annotations

from ambassador.model import Route, Snapshot

__all__ = ["NAME", "FleetSource"]

NAME = "etcd"


class FleetSource:
    """Implements ports.Source: returns the routes of the last picture."""

    name = NAME
    guess = False

    def __init__(self) -> None:
        self.routes: tuple[Route, ...] = ()

    def read(self) -> Snapshot:
        """Return the routes; see ports.Source."""
        # Routes that were written on another host give way to local ones.
        return Snapshot(self.name, self.routes, yields=True)
