"""`ambassador add ASSIGNMENT...`: add routes at run time."""

from __future__ import annotations

import click

from ambassador.cli.running import asking, do
from ambassador.core.commands import Add

__all__ = ["command"]


@click.command("add")
@click.argument("assignments", nargs=-1, required=True, metavar="ASSIGNMENT...")
@asking
def command(assignments: tuple[str, ...], admin: str | None, as_json: bool) -> None:
    """Add routes, written as for `run`; either all of them are added or none.

    \b
    ambassador add DB_PORT_5432_TCP=tcp://db1:5432 DB_PORT_5432_TCP_EXISTING=drain=30s
    """
    do(Add(assignments), admin, as_json)
