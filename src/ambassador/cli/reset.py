"""`ambassador reset ROUTE`: go back to what the sources say."""

from __future__ import annotations

import click

from ambassador.cli.running import asking, do
from ambassador.core.commands import Reset

__all__ = ["command"]


@click.command("reset")
@click.argument("route", default="", metavar="ROUTE")
@click.option("--all", "everything", is_flag=True, help="Every route.")
@asking
def command(route: str, everything: bool, admin: str | None, as_json: bool) -> None:
    """Drop what operators changed: ROUTE is again as the environment or the file says."""
    if bool(route) == everything:
        raise click.UsageError("name a ROUTE, or give --all")
    do(Reset(route), admin, as_json)
