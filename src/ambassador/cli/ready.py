"""`ambassador ready ROUTE|ENDPOINT`: take back `drain` and `maint`."""

from __future__ import annotations

import click

from ambassador.cli.running import asking, do, place_of
from ambassador.core.commands import Ready

__all__ = ["command"]


@click.command("ready")
@click.argument("place", metavar="ROUTE|ENDPOINT")
@click.argument("endpoint", default="", metavar="[ENDPOINT]")
@asking
def command(place: str, endpoint: str, admin: str | None, as_json: bool) -> None:
    """Let endpoints have new sessions again, after `drain` or `maint`."""
    do(Ready(**place_of(place, endpoint)), admin, as_json)
