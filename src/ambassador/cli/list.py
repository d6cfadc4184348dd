"""`ambassador list`: the ambassadors of this host."""

from __future__ import annotations

import os
from dataclasses import dataclass

import click

from ambassador.admin import client
from ambassador.admin.locate import ANSWERS, Seen, every
from ambassador.cli.running import show
from ambassador.cli.text import age, table
from ambassador.core.commands import Status
from ambassador.core.results import StatusView
from ambassador.errors import AmbassadorError

__all__ = ["command"]

_HEAD = ("NAME", "STATE", "PID", "UP", "ROUTES", "OPEN", "VERSION", "ADMIN SOCKET")
_PATIENCE = 2.0  # seconds; an ambassador that does not answer delays the whole list
_SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Listed:
    """One ambassador, or a socket that an ambassador has left behind. `state` is its phase, or
    `silent`, `dead`, `denied`, `other container` or `not asked`; for these, `why` says more.
    """

    name: str
    state: str
    admin: str
    pid: int = 0
    uptime: float = 0.0
    routes: int = 0
    open: int = 0
    version: str = ""
    why: str = ""


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool) -> None:
    """List the ambassadors of this host that can be seen from here, with their names, and sockets
    that were left behind. In a container: those in this container, and those in containers that
    share the folder of their sockets.
    """
    found = [_asked(one) for one in every(os.environ)]
    show(found, _text(found), as_json)


def _asked(seen: Seen) -> Listed:
    path = str(seen.path)
    if seen.state != ANSWERS:
        return Listed(seen.name, seen.state, path, seen.pid, why=seen.why)
    try:
        view: StatusView = client.ask(seen.path, Status(), _PATIENCE)
    except AmbassadorError as error:
        return Listed(seen.name, _SILENT, path, seen.pid, why=str(error))
    return Listed(
        view.place.name or seen.name,
        view.phase,
        path,
        view.pid,
        view.uptime,
        len(view.routes),
        sum(route.open for route in view.routes),
        view.version,
    )


def _text(found: list[Listed]) -> str:
    if not found:
        return "no ambassador is running here"
    rows = [
        (
            one.name or "-",
            one.state,
            str(one.pid or "-"),
            age(one.uptime) if one.version else "-",
            str(one.routes) if one.version else "-",
            str(one.open) if one.version else "-",
            one.version or "-",
            one.admin,
        )
        for one in found
    ]
    notes = [f"{one.admin}: {one.why}" for one in found if one.why]
    return "\n".join([table(_HEAD, rows), *([""] if notes else []), *notes])
