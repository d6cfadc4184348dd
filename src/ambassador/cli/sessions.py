"""`ambassador sessions [ROUTE]`: which clients are connected."""

from __future__ import annotations

import click

from ambassador.cli.running import ask, asking, show
from ambassador.cli.shared import at_most
from ambassador.cli.text import age, size, table
from ambassador.core.commands import Sessions
from ambassador.core.results import SessionList

__all__ = ["command"]

_HEAD = ("SESSION", "ROUTE", "CLIENT", "ENDPOINT", "AGE", "UP", "DOWN", "PLANE", "STATE")


@click.command("sessions")
@at_most(1000)
@asking
def command(route: str, limit: int, admin: str | None, as_json: bool) -> None:
    """List open sessions, the oldest first: client, endpoint, age, and bytes to the upstream and to
    the client.
    """
    found: SessionList = ask(Sessions(route, limit), admin)
    rows = [
        (
            one.id,
            one.route,
            one.client,
            one.endpoint or "-",
            "-" if one.age is None else age(one.age),
            size(one.to_upstream),
            size(one.to_client),
            one.plane,
            one.state,
        )
        for one in found.sessions
    ]
    text = table(_HEAD, rows)
    if left := found.total - len(found.sessions):
        text += f"\n... and {left} more"
    show(found, text, as_json)
