"""`ambassador release ROUTE`: forward held sessions."""

from __future__ import annotations

import click

from ambassador.cli.running import asking, do
from ambassador.core.commands import Release

__all__ = ["command"]


@click.command("release")
@click.argument("route")
@asking
def command(route: str, admin: str | None, as_json: bool) -> None:
    """Forward the sessions that `hold` keeps waiting, to the endpoints that ROUTE has now."""
    do(Release(route), admin, as_json)
