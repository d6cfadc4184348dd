"""`ambassador release ROUTE`: forward what is held."""

from __future__ import annotations

import click

from ambassador.cli.running import asking, do
from ambassador.core.commands import Release

__all__ = ["command"]


@click.command("release")
@click.argument("route")
@asking
def command(route: str, admin: str | None, as_json: bool) -> None:
    """Forward what `hold` keeps waiting, to wherever ROUTE leads now."""
    do(Release(route), admin, as_json)
