"""`ambassador check`: what `run` would do, without doing it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from ambassador.app import examine, lists, seen, sources, token, unreadable
from ambassador.cli.flags import setting_flags
from ambassador.cli.text import safe, table
from ambassador.control.reconciler import read
from ambassador.core.describe import describe_endpoint, describe_listening
from ambassador.errors import ConfigError
from ambassador.model import Route
from ambassador.settings import SETTINGS, Settings
from ambassador.spec import format_endpoint, format_listening, format_options

__all__ = ["command"]


@click.command("check")
@click.argument("assignments", nargs=-1, metavar="[ASSIGNMENT... | HOST PORT]")
@setting_flags(*SETTINGS)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, errors included.")
def command(assignments: tuple[str, ...], as_json: bool, **flags: str | None) -> int:
    """Read everything that `run` would read, show the routes, start nothing. Container engines are
    asked for the containers that endpoints name.

    Exit 0 when `run` would start and containers could be reached, 2 when something is wrong.
    """
    try:
        settings = Settings.from_environ(os.environ, flags)
        token(settings)
        found, admit = sources(settings, os.environ, assignments), lists(settings)
        placed = seen(settings, found)
        desired, snapshots = read(found, admission=lambda route: admit(placed(route)))
        if problems := examine(settings, os.environ, desired.routes):
            raise ConfigError(*problems)
    except ConfigError as error:
        if not as_json:
            raise
        print(json.dumps({"errors": [asdict(problem) for problem in error.problems]}, indent=2))
        return error.exit_code
    notes = [*settings.notes, *unreadable(desired.routes)]
    notes += (note for one in snapshots for note in (*one.notes, *one.left_out))
    if as_json:
        routes = [_as_json(route) for route in desired.routes]
        print(json.dumps({"routes": routes, "notes": notes}, indent=2))
    else:
        print(safe(_text(desired.routes, notes)))
    return 0


def _as_json(route: Route) -> dict[str, Any]:
    return {
        "name": route.name,
        "proto": str(route.proto),
        "listen": format_listening(route),
        "endpoints": [format_endpoint(endpoint) for endpoint in route.endpoints],
        "options": _options(route),
        "origin": route.origin,
    }


def _options(route: Route) -> dict[str, str]:
    """Return the options that differ from their default, without `listen`."""
    return {key: value for key, value in format_options(route).items() if key != "listen"}


def _text(routes: Sequence[Route], notes: Sequence[str]) -> str:
    rows = [
        (
            route.name,
            describe_listening(route),
            ", ".join(map(describe_endpoint, route.endpoints)) or _led(route),
            " ".join(f"{key}={value}" for key, value in _options(route).items()) or "-",
            route.origin,
        )
        for route in routes
    ]
    lines = [table(("ROUTE", "LISTEN", "ENDPOINTS", "OPTIONS", "FROM"), rows)]
    lines += [f"note: {note}" for note in notes]
    return "\n".join(lines)


def _led(route: Route) -> str:
    return f"etcd://{route.service}" if route.service else "its primary"
