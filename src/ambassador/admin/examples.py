"""A correct request to type, for each problem of a wrong one."""

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
    """Give each problem that the block raises an example: a request for `row` by `curl`."""
    try:
        yield
    except ConfigError as error:
        example = f"curl {curl}{_request(row, routes)}"
        raise ConfigError(*(replace(one, example=example) for one in error.problems)) from None


@asynccontextmanager
async def explained(command: Command, reconciler: Reconciler) -> AsyncIterator[None]:
    """Give each problem of `command`, which the block executes, the line to type instead; the
    problems of a reload already have one.
    """
    try:
        yield
    except ConfigError as error:
        if isinstance(command, Reload):
            raise
        # In a thread: the name most like a wrong one is searched among all routes.
        told = await asyncio.to_thread(with_examples, error, command, reconciler.routes)
        raise told from None


def curl_of(place: tuple[str, int | None] | None, url: str, token: str) -> str:
    """Return the arguments with which curl reaches `place` if it is a path (no port), else `url`;
    `token` is a word from which the shell makes the token.
    """
    if place and place[1] is None:
        return f"--unix-socket {place[0]} http://-"
    return f'-H "Authorization: Bearer {token}" {url.rstrip("/")}'


def _request(row: Operation, routes: Sequence[Route]) -> str:
    """Return path and body of a correct request about the first of `routes`, quoted for a shell."""
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
