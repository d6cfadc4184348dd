"""Ask an engine once for its present state: for `check` and `publish`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from ambassador.core.containers.address import Here
from ambassador.core.containers.container import Container, read_containers
from ambassador.core.containers.found import Details, Found, find
from ambassador.engine.feed import read_details
from ambassador.engine.follower import list_path
from ambassador.engine.here import here, own_id
from ambassador.engine.http import EngineHttp
from ambassador.engine.place import Where
from ambassador.errors import EngineError
from ambassador.spec import container as spec

__all__ = ["Asked", "ask_once", "list_once", "pid_of"]

_LIMIT = 5.0  # seconds

_T = TypeVar("_T")


def list_once(where: Where) -> tuple[Container, ...]:
    """Return all containers of the engine at `where`. Raises EngineError."""
    return run(_list(EngineHttp(where)))


class Asked:
    """The answer of an engine: its `containers`, where we are (`here`), and what was `found` for
    the expression.
    """

    def __init__(self, http: EngineHttp, containers: tuple[Container, ...], found: Found) -> None:
        self.http = http
        self.containers = containers
        self.found = found
        isolated = "libpod" not in http.server.lower()
        self.here: Here = here(http.where, containers, isolated, own_id())


def ask_once(where: Where, wanted: spec.Container) -> Asked:
    """Return what `wanted` means at the engine at `where`. Raises EngineError."""
    return run(_ask(EngineHttp(where), wanted))


async def _ask(http: EngineHttp, wanted: spec.Container) -> Asked:
    containers = await _list(http)
    place = Asked(http, containers, Found()).here
    details: dict[str, Details] = {}
    found = find(wanted, containers, place, details.get)
    for id_ in found.unknown:
        details[id_] = read_details(await http.get(f"/containers/{id_}/json", _LIMIT))
    if details:
        found = find(wanted, containers, place, details.get)
    if wanted.wake:
        await _may_wake(http, found)
    return Asked(http, containers, found)


async def _may_wake(http: EngineHttp, found: Found) -> None:
    """Raise EngineError where containers could not be started; starting a running one changes
    nothing.
    """
    for one in found.replicas:
        if one.state == "running":
            path = f"/containers/{one.id}/start"
            status, _ = await http.ask("POST", path, _LIMIT)
            if status in (403, 405):
                raise EngineError(
                    f"{http.where} forbids POST {path}: a proxy has to allow POST "
                    f"/v1.*/containers/{one.name}/start",
                    path,
                )


async def _list(http: EngineHttp) -> tuple[Container, ...]:
    try:
        return read_containers(await http.get(list_path(None), _LIMIT))
    except ValueError as error:
        raise EngineError(f"{http.where}: its list of containers makes no sense: {error}") from None


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Return what `work` returns, on a loop of its own."""
    with asyncio.Runner() as runner:
        return runner.run(work)


def pid_of(where: Where, id_: str) -> int:
    """Return the pid of a container on the engine's host; 0 where it does not run."""
    entry = run(EngineHttp(where).get(f"/containers/{id_}/json", _LIMIT))
    state = entry.get("State") if isinstance(entry, dict) else None
    pid = state.get("Pid") if isinstance(state, dict) else None
    return pid if isinstance(pid, int) else 0
