"""The common parts of all verbs that ask a running ambassador: which ambassador is asked, the
flags, and how the answer is shown.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ambassador.admin import client
from ambassador.admin.plain import encode
from ambassador.cli.flags import setting_flags
from ambassador.cli.text import safe
from ambassador.core.commands import Command, Sessions, Status
from ambassador.core.results import Done, RouteView, SessionList
from ambassador.errors import ConfigError, NotFoundError, Problem, RunError
from ambassador.settings import SETTINGS
from ambassador.spec import parse_duration

__all__ = [
    "addressed",
    "admin_socket",
    "ask",
    "asking",
    "do",
    "duration",
    "place_of",
    "show",
    "wait_until_none",
]

_NAME = "ambassador.name"  # the key of the name in click's `meta` of the running command
_LOOK = 0.2  # seconds between two looks whether sessions are left
_ALL = 1_000_000_000


def admin_socket(flag: str | None) -> Path:
    """Return the admin socket: by `--admin`, or by `--name` of the running command, or by
    AMBASSADOR_ADMIN, or by AMBASSADOR_NAME, or the one that is found.

    Raises ConfigError when these are wrong, and RunError when no ambassador can be asked.
    """
    context = click.get_current_context(silent=True)
    name: str = context.meta.get(_NAME, "") if context else ""
    setting = SETTINGS["admin"]
    text, where = flag, f"flag {setting.flag}"
    if text is not None and name:
        what = "names another place than --admin does"
        example = f"--name {name}, without --admin"
        raise ConfigError(Problem("flag --name", what, name, "one of the two", example))
    if text is None:
        text = "" if name else os.environ.get(setting.variable, "").strip()
        where = setting.variable
    named: str = setting.parse(text, where) if text or flag is not None else ""
    if named == "off":
        raise RunError(f"{where} is off: an ambassador without an admin socket cannot be asked")
    return client.find(os.environ, named, "" if named else name or _usual_name())


def _usual_name() -> str:
    """Return the name in AMBASSADOR_NAME. Raises ConfigError."""
    setting = SETTINGS["name"]
    text = os.environ.get(setting.variable, "").strip()
    if not text or text.startswith("/"):  # set by Docker for a link called ambassador
        return ""
    return str(setting.parse(text, setting.variable))


def _named(context: click.Context, _parameter: click.Parameter, text: str | None) -> None:
    if text is not None:
        context.meta[_NAME] = SETTINGS["name"].parse(text, "flag --name")


def addressed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command with `--admin` and `--name`, which say which ambassador is meant. The
    command gets `admin` as an argument; `admin_socket` reads the name from click's context.
    """
    name = click.option(
        "--name",
        metavar="NAME",
        expose_value=False,
        callback=_named,
        help="Ask the ambassador of this name. [AMBASSADOR_NAME]",
    )
    return setting_flags("admin")(name(command))


def asking(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command as `addressed` does, and with `--json`: the argument `as_json`."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return addressed(as_json(command))


def ask(command: Command, admin: str | None) -> Any:
    """Send `command` to the ambassador; return its result. Raises what the ambassador raised."""
    return client.ask(admin_socket(admin), command)


def show(result: Any, text: str, as_json: bool) -> None:
    """Print `result` as JSON, or `text`."""
    print(encode(result, indent=2) if as_json else safe(text))


def do(command: Command, admin: str | None, as_json: bool) -> Done:
    """Send `command`, print its message, and return the answer."""
    done: Done = ask(command, admin)
    show(done, done.message, as_json)
    return done


def wait_until_none(
    routes: Sequence[str], left: Callable[[RouteView, SessionList], bool], admin: str | None
) -> None:
    """Ask again and again until `left` is False for each of `routes`. A route that was removed has
    nothing left.
    """
    for route in routes:
        with contextlib.suppress(NotFoundError):
            while left(
                ask(Status(route), admin).routes[0], ask(Sessions(route, limit=_ALL), admin)
            ):
                time.sleep(_LOOK)


def duration(flag: str) -> Callable[[click.Context, click.Parameter, str | None], float | None]:
    """Return a callback of click that turns the text of `flag` into seconds; None stays None."""

    def read(
        _context: click.Context, _parameter: click.Parameter, text: str | None
    ) -> float | None:
        try:
            return None if text is None else parse_duration(text, f"flag {flag}")
        except ConfigError as error:
            typed = [replace(p, example=f"{flag} {p.example}") for p in error.problems]
            raise ConfigError(*typed) from None

    return read


def place_of(first: str, second: str = "") -> dict[str, str]:
    """Return the fields of a command that ROUTE, ENDPOINT, or ROUTE ENDPOINT mean.

    An endpoint has a port or a path; the name of a route has no colon and no slash.
    """
    if second:
        return {"route": first, "endpoint": second}
    return {"endpoint" if ":" in first or "/" in first else "route": first}
