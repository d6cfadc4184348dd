"""Which containers an expression means. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ambassador.core.containers.container import Container
from ambassador.spec import container as spec
from ambassador.spec.text import meant

__all__ = ["Meaning", "meaning"]

_ID = r"[0-9a-f]{12,64}"
_LISTED = 5


class Meaning(NamedTuple):
    """The containers that an expression means; or none, and the `problem`. `wrong`: the expression
    has to be changed; otherwise such a container may still appear.
    """

    containers: tuple[Container, ...] = ()
    problem: str = ""
    wrong: bool = False


def meaning(one: spec.Container, containers: Iterable[Container]) -> Meaning:
    """Return which of `containers` `one` means: those with its labels; else the container of that
    exact name or id; else the replicas of `service.project`; else those of that service, if only
    one project has it.
    """
    everything = tuple(containers)
    if one.labels:
        found = [c for c in everything if all(_has(c, label) for label in one.labels)]
        words = " and ".join(f"the label {label}" for label in one.labels)
        return Meaning(_in_order(found), "" if found else f"no container has {words}")
    if exact := _exactly(one.name, everything):
        return Meaning((exact,))
    service, dot, project = one.name.rpartition(".")
    if dot and (
        found := [c for c in everything if (c.replica_of, c.project) == (service, project)]
    ):
        return Meaning(_in_order(found))
    found = [c for c in everything if c.replica_of == one.name]
    projects = sorted({c.project for c in found})
    if len(projects) > 1:
        names = ", ".join(f"{one.scheme}://{one.name}.{project}" for project in projects)
        return Meaning((), f"several projects have a service {one.name}: {names}", wrong=True)
    nearest = "" if found else _nearest(one.name, everything)
    return Meaning(_in_order(found), "" if found else f"no container is called {one.name}{nearest}")


def _exactly(name: str, containers: Sequence[Container]) -> Container | None:
    named = [c for c in containers if name in c.names]
    if not named and re.fullmatch(_ID, name):
        named = [c for c in containers if c.id.startswith(name)]
    return named[0] if len(named) == 1 else None


def _has(container: Container, label: str) -> bool:
    key, equals, value = label.partition("=")
    found = container.labels.get(key)
    return found is not None and (not equals or found == value)


def _in_order(containers: Sequence[Container]) -> tuple[Container, ...]:
    return tuple(sorted(containers, key=lambda c: (c.project, c.replica_of, c.number, c.name)))


def _nearest(name: str, containers: Sequence[Container]) -> str:
    names = [c.name for c in containers]
    names += [f"{c.replica_of}.{c.project}" for c in containers if c.replica_of]
    if near := meant(name, names):
        return near
    shown = sorted(names)[:_LISTED]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f" (there are {', '.join(shown)}{more})" if shown else " (the engine has none)"
