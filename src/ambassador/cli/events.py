"""`ambassador events`: show what has happened, and follow what happens."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from ambassador.admin import client
from ambassador.admin.operations import Events
from ambassador.cli.running import admin_socket, asking
from ambassador.cli.terminal import wants_colour
from ambassador.spec import printable
from ambassador.spec.moments import format_moment

__all__ = ["command"]

_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m"}


@click.command("events")
@click.option("-f", "--follow", is_flag=True, help="Go on until the ambassador ends, or Ctrl-C.")
@click.option(
    "--after",
    default=0,
    metavar="NUMBER",
    type=click.IntRange(min=0),
    help="Show only events after the one with this number.",
)
@asking
def command(follow: bool, after: int, admin: str | None, as_json: bool) -> None:
    """Show what has happened to routes, endpoints and the program itself: the last 1,000 events,
    one a line; JSON lines with --json.
    """
    colour = wants_colour(sys.stdout)
    for line in client.events(admin_socket(admin), Events(after, follow)):
        text = line.decode(errors="replace")
        print(printable(text) if as_json else _text(json.loads(text), colour), flush=True)


def _text(event: dict[str, Any], colour: bool) -> str:
    begin = _COLOURS.get(event["level"], "") if colour else ""
    message = printable(event["message"])  # a name from outside must not control the terminal
    text = f"{event['number']:>6}  {format_moment(event['time'])}  {event['level']:<7}  {message}"
    return f"{begin}{text}\x1b[0m" if begin else text
