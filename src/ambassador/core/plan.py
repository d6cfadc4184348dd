"""From what is installed to what is desired, as data.

A step touches one route. A route whose listen address stays is changed in place, so its
listener and its sessions live on; only new sessions see the change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ambassador.model import Route

__all__ = ["AddRoute", "ChangeRoute", "RemoveRoute", "Step", "plan"]


@dataclass(frozen=True, slots=True)
class AddRoute:
    """Begin to listen and forward."""

    route: Route


@dataclass(frozen=True, slots=True)
class ChangeRoute:
    """Same name, protocol and listen address; other endpoints or options."""

    old: Route
    new: Route


@dataclass(frozen=True, slots=True)
class RemoveRoute:
    """Stop listening; open sessions finish on their own."""

    route: Route


Step = AddRoute | ChangeRoute | RemoveRoute


def plan(observed: Iterable[Route], desired: Iterable[Route]) -> tuple[Step, ...]:
    """Return the steps that lead from `observed` to `desired`; both have unique names.

    Removals come first, so that a listen address may pass from one route to another.
    """
    old = {route.name: route for route in observed}
    new = {route.name: route for route in desired}
    removals: list[Step] = []
    others: list[Step] = []
    for name, route in old.items():
        wanted = new.get(name)
        if wanted is None or (wanted.listen, wanted.proto) != (route.listen, route.proto):
            removals.append(RemoveRoute(route))
    for name, route in new.items():
        installed = old.get(name)
        if installed is None or (installed.listen, installed.proto) != (route.listen, route.proto):
            others.append(AddRoute(route))
        elif installed != route:
            others.append(ChangeRoute(installed, route))
    return (*removals, *others)
