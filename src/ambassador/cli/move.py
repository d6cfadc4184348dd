"""`ambassador move ROUTE ENDPOINT...`: point a route at other endpoints."""

from __future__ import annotations

import click

from ambassador.cli.running import ask, asking, show
from ambassador.cli.shared import leading_elsewhere, within
from ambassador.cli.text import age
from ambassador.core.commands import Move
from ambassador.core.results import Moved

__all__ = ["command"]


@click.command("move")
@click.argument("route")
@click.argument("endpoints", nargs=-1, required=True, metavar="ENDPOINT...")
@leading_elsewhere
@click.option(
    "--check",
    is_flag=True,
    help="Check everything, show what would happen, and change nothing.",
)
@click.option(
    "--from",
    "before",
    multiple=True,
    metavar="ENDPOINT",
    help="Move only if ROUTE leads to exactly this endpoint; give it once for each endpoint.",
)
@within("10s")
@asking
def command(
    route: str,
    endpoints: tuple[str, ...],
    *,
    hold: bool,
    existing: str,
    no_verify: bool,
    check: bool,
    before: tuple[str, ...],
    timeout: float,
    admin: str | None,
    as_json: bool,
) -> None:
    """Point ROUTE at other endpoints. Each must answer first; otherwise nothing changes (exit 5).

    \b
    ambassador move redis tcp://192.168.1.53:6379
    ambassador move redis tcp://192.168.1.53:6379 --check
    ambassador move redis tcp://192.168.1.53:6379 --hold --existing drain=30s
    """
    wanted = Move(route, endpoints, hold, existing, not no_verify, timeout, check, before)
    moved: Moved = ask(wanted, admin)
    text = moved.message if check else f"{moved.message}, in {age(moved.seconds)}"
    if moved.held:
        text += f"; {moved.held} waited meanwhile"
    show(moved, "\n".join([text, *moved.notes]), as_json)
