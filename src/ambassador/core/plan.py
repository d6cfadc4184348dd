"""From installed to desired routes, as data.

A step touches one route. A route is the same route while it listens at the same address: its name,
endpoints and options may change in place, so its listener and its sessions stay and only new
sessions see the change. (For example, a second port of an alias renames the first route.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ambassador.model import Existing, Route

__all__ = ["AddRoute", "ChangeRoute", "RemoveRoute", "Step", "before_and_after", "plan", "undo"]


@dataclass(frozen=True, slots=True)
class AddRoute:
    """Begin to listen and forward."""

    route: Route


@dataclass(frozen=True, slots=True)
class ChangeRoute:
    """Same protocol and listen address; another name, other endpoints or options.

    `existing` is the policy of this one change; None: the policy of the route at that time.
    """

    old: Route
    new: Route
    existing: Existing | None = None


@dataclass(frozen=True, slots=True)
class RemoveRoute:
    """Stop listening; the open sessions follow the route's `existing`."""

    route: Route


Step = AddRoute | ChangeRoute | RemoveRoute


def plan(observed: Iterable[Route], desired: Iterable[Route]) -> tuple[Step, ...]:
    """Return the steps from `observed` to `desired`; no two routes ever listen at one address.

    Removals come first, so that an address may pass from one route to another.
    """
    old = {route.key: route for route in observed}
    new = {route.key: route for route in desired}
    steps: list[Step] = [RemoveRoute(route) for key, route in old.items() if key not in new]
    for key, route in new.items():
        if key not in old:
            steps.append(AddRoute(route))
        elif old[key] != route:
            steps.append(ChangeRoute(old[key], route))
    return tuple(steps)


def before_and_after(step: Step) -> tuple[Route | None, Route | None]:
    """Return the route of `step` before it and after it; None where there is none."""
    match step:
        case AddRoute(route):
            return None, route
        case ChangeRoute(old=old, new=new):
            return old, new
        case RemoveRoute(route):
            return route, None


def undo(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps that take back `steps`."""
    back: list[Step] = []
    for step in steps:
        match step:
            case AddRoute(route):
                back.append(RemoveRoute(route))
            case ChangeRoute(old=old, new=new):
                back.append(ChangeRoute(new, old))
            case RemoveRoute(route):
                back.append(AddRoute(route))
    return tuple(back)
