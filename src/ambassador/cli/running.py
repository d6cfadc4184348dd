"""What every verb that asks a running ambassador shares: which one it asks, its flags, and how the
answer is shown.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ambassador.admin import client
from ambassador.admin.plain import encode
from ambassador.cli.flags import setting_flags
from ambassador.cli.text import safe
from ambassador.core.commands import Command
from ambassador.core.results import Done
from ambassador.errors import RunError
from ambassador.settings import SETTINGS
from ambassador.spec import parse_duration

__all__ = ["admin_socket", "ask", "asking", "do", "duration", "place_of", "show"]


def admin_socket(flag: str | None) -> Path:
    """Return the admin socket to ask at, as `--admin` or AMBASSADOR_ADMIN say, or where it is
    found.

    Raises ConfigError when they make no sense and RunError when nobody can be asked.
    """
    setting = SETTINGS["admin"]
    text, where = flag, f"flag {setting.flag}"
    if text is None:
        text, where = os.environ.get(setting.variable, "").strip(), setting.variable
    named: str = setting.parse(text, where) if text or flag is not None else ""
    if named == "off":
        raise RunError(f"{where} is off: an ambassador without an admin socket cannot be asked")
    return client.find(os.environ, named)


def asking(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command with `--admin` and `--json`, which arrive as `admin` and `as_json`."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return setting_flags("admin")(as_json(command))


def ask(command: Command, admin: str | None) -> Any:
    """Have the ambassador do `command`; return its result. Raises what the ambassador raised."""
    return client.ask(admin_socket(admin), command)


def show(result: Any, text: str, as_json: bool) -> None:
    """Print `result` as JSON, or `text`."""
    print(encode(result, indent=2) if as_json else safe(text))


def do(command: Command, admin: str | None, as_json: bool) -> None:
    """Have `command` done and say that it is."""
    done: Done = ask(command, admin)
    show(done, done.message, as_json)


def duration(flag: str) -> Callable[[click.Context, click.Parameter, str | None], float | None]:
    """Return what makes seconds of the text of `flag`, which may be missing."""
    return lambda _context, _parameter, text: (
        None if text is None else parse_duration(text, f"flag {flag}")
    )


def place_of(first: str, second: str = "") -> dict[str, str]:
    """Return which fields are meant by ROUTE, ENDPOINT, or ROUTE ENDPOINT.

    An endpoint has a port or a path; a name of a route has no colon and no slash.
    """
    if second:
        return {"route": first, "endpoint": second}
    return {"endpoint" if ":" in first or "/" in first else "route": first}
