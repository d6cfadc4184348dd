"""What can be checked before a start: `check` asks engines for the containers that endpoints mean,
and looks whether the login files of probes and followers exist.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ambassador.errors import ConfigError, EngineError, Problem
from ambassador.model import Endpoint, Inet, Route
from ambassador.settings import Settings
from ambassador.spec import format_endpoint
from ambassador.spec.container import container_of, is_container

__all__ = ["examine", "unreadable"]


def examine(
    settings: Settings, environ: Mapping[str, str], routes: Iterable[Route]
) -> tuple[Problem, ...]:
    """Return why clients would not reach a container that an endpoint of `routes` means."""
    found: list[Problem] = []
    for route in routes:
        for endpoint in route.endpoints:
            if isinstance(endpoint.address, Inet) and is_container(endpoint.address.host):
                found += _examine(settings, environ, route, endpoint, endpoint.address.host)
    return tuple(dict.fromkeys(found))


def unreadable(routes: Iterable[Route]) -> list[str]:
    """Return which files of probes and followers cannot be read, and why: `run` starts without
    them, since they may be created later, and does not ask those endpoints until then.
    """
    found = []
    for route in routes:
        for option in ("password_file", "sentinel_password_file", "health_tls"):
            path = getattr(route, option)
            if path not in ("", "yes"):
                try:
                    Path(path).open("rb").close()
                except OSError as error:
                    why = os.strerror(error.errno or 0).lower()
                    found.append(f"{route.name}  {option}: {path} cannot be read: {why}")
    return found


def _examine(
    settings: Settings, environ: Mapping[str, str], route: Route, endpoint: Endpoint, host: str
) -> list[Problem]:
    # 30 ms that a route without containers saves
    from ambassador.engine.once import ask_once  # noqa: PLC0415
    from ambassador.engine.place import engine_of  # noqa: PLC0415

    wanted, written = container_of(host), format_endpoint(endpoint)
    where = route.origin or f"route {route.name}"
    try:
        asked = ask_once(engine_of(wanted.scheme, settings.docker, environ), wanted)
    except ConfigError as error:
        return list(error.problems)
    except EngineError as error:
        expected = f"an engine that answers, and lets us ask{' POST' if wanted.wake else ''}"
        example = "AMBASSADOR_DOCKER=unix:///var/run/docker.sock"
        return [Problem(where, str(error), written, expected, example)]
    problem = asked.found.problem
    if not problem or (wanted.wake and asked.found.asleep):
        return []
    expected = "a container that runs, in a network of ours"
    if asked.found.asleep:
        expected = f"one that runs; docker start {asked.found.asleep[0].name}, or ?wake"
    return [Problem(where, problem, written, expected)]
