"""`ambassador hold ROUTE`: accept new sessions, but do not forward them yet."""

from __future__ import annotations

import click

from ambassador.cli.running import asking, do, duration
from ambassador.core.commands import Hold

__all__ = ["command"]


@click.command("hold")
@click.argument("route")
@click.option(
    "--timeout",
    default="30s",
    show_default=True,
    metavar="DURATION",
    callback=duration("--timeout"),
    help="Close a session that has waited this long.",
)
@click.option(
    "--max",
    "limit",
    default=1000,
    show_default=True,
    metavar="N",
    type=click.IntRange(min=1),
    help="Refuse further sessions while N wait.",
)
@asking
def command(route: str, timeout: float, limit: int, admin: str | None, as_json: bool) -> None:
    """Accept new sessions of ROUTE and let them wait until `release`; open ones go on."""
    do(Hold(route, timeout, limit), admin, as_json)
