"""`ambassador maint ROUTE|ENDPOINT`: treat endpoints as if they had left."""

from __future__ import annotations

import click

from ambassador.cli.running import asking, do, place_of
from ambassador.core.commands import Maint

__all__ = ["command"]


@click.command("maint")
@click.argument("place", metavar="ROUTE|ENDPOINT")
@click.argument("endpoint", default="", metavar="[ENDPOINT]")
@asking
def command(place: str, endpoint: str, admin: str | None, as_json: bool) -> None:
    """Treat endpoints as if they had left: no new sessions, open ones follow `existing`."""
    do(Maint(**place_of(place, endpoint)), admin, as_json)
