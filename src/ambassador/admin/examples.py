"""A request that is right, to be typed, for each finding inside one that is not."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import MISSING, fields, replace

from ambassador.admin.operations import Operation
from ambassador.control.reconciler import Reconciler
from ambassador.core.commands import Command, Reload
from ambassador.core.examples import with_examples
from ambassador.errors import ConfigError
from ambassador.model import Route
from ambassador.spec import format_endpoint

__all__ = ["curl_of", "explained", "with_example"]


@contextmanager
def with_example(row: Operation, curl: str, routes: Sequence[Route]) -> Iterator[None]:
    """Give each finding of what is done inside an example, in which `curl` asks for `row`."""
    try:
        yield
    except ConfigError as error:
        example = f"curl {curl}{_request(row, routes)}"
        raise ConfigError(*(replace(one, example=example) for one in error.problems)) from None


@asynccontextmanager
async def explained(command: Command, reconciler: Reconciler) -> AsyncIterator[None]:
    """Give each finding of `command`, which is done inside, the line to type instead; those of a
    reload have theirs.
    """
    try:
        yield
    except ConfigError as error:
        if isinstance(command, Reload):
            raise
        # In a thread: what looks most like a name is looked for among all routes.
        told = await asyncio.to_thread(with_examples, error, command, reconciler.routes)
        raise told from None


def curl_of(place: tuple[str, int | None] | None, url: str, token: str) -> str:
    """Return how curl speaks to `place`, a path without a port, or to `url`, with what a shell
    makes the `token` of.
    """
    if place and place[1] is None:
        return f"--unix-socket {place[0]} http://-"
    return f'-H "Authorization: Bearer {token}" {url.rstrip("/")}'


def _request(row: Operation, routes: Sequence[Route]) -> str:
    """Return path and body of a request that is right, for a shell, about the first of `routes`."""
    if row.method == "GET":
        return row.path
    name = routes[0].name if routes else "redis"
    endpoints = map(format_endpoint, routes[0].endpoints) if routes else ["tcp://192.168.1.53:6379"]
    values = {
        "route": name,
        "endpoints": list(endpoints),
        "assignments": ["WEB_PORT_8080_TCP=tcp://192.168.1.52:8080"],
    }
    body = {
        one.name: values[one.name]
        for one in fields(row.command)
        if one.default is MISSING or one.name == "route"
    }
    return f"{row.path} --json {shlex.quote(json.dumps(body))}"
