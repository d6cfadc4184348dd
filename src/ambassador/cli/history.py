"""`ambassador history [ROUTE]`: the changes that operators made."""

from __future__ import annotations

import click

from ambassador.cli.running import ask, asking, show
from ambassador.cli.shared import at_most
from ambassador.cli.text import table
from ambassador.core.commands import History
from ambassador.core.results import ChangeList
from ambassador.spec.moments import format_moment

__all__ = ["command"]

_HEAD = ("CHANGE", "WHEN", "ROUTE", "WHAT", "BY", "OUTCOME")


@click.command("history")
@at_most(100)
@asking
def command(route: str, limit: int, admin: str | None, as_json: bool) -> None:
    """List the last changes that operators made, the newest first: what, by whom, and the outcome.
    `ambassador undo ROUTE` takes back the change that is marked with `last`.
    """
    found: ChangeList = ask(History(route, limit), admin)
    rows = [
        (
            str(one.number),
            format_moment(one.when),
            one.route,
            one.what,
            one.who,
            f"{one.outcome}, last" if one.last else one.outcome,
        )
        for one in found.changes
    ]
    text = table(_HEAD, rows)
    if left := found.total - len(found.changes):
        text += f"\n... and {left} more"
    show(found, text, as_json)
