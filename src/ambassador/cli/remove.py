"""`ambassador remove ROUTE`: remove a route at run time."""

from __future__ import annotations

import click

from ambassador.cli.running import asking, do
from ambassador.core.commands import Remove

__all__ = ["command"]


@click.command("remove")
@click.argument("route")
@asking
def command(route: str, admin: str | None, as_json: bool) -> None:
    """Stop listening for ROUTE; its open sessions follow its option `existing`."""
    do(Remove(route), admin, as_json)
