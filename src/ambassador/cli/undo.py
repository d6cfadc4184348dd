"""`ambassador undo ROUTE`: take back the last change of a route."""

from __future__ import annotations

import click

from ambassador.cli.running import ask, asking, show
from ambassador.cli.shared import leading_elsewhere, within
from ambassador.cli.text import age
from ambassador.core.commands import Undo
from ambassador.core.results import Undone

__all__ = ["command"]


@click.command("undo")
@click.argument("route")
@leading_elsewhere
@click.option(
    "--change",
    default=0,
    metavar="NUMBER",
    type=click.IntRange(min=0),
    help="Undo only if the last change has this number in `history`.",
)
@within("10s")
@asking
def command(
    route: str,
    *,
    hold: bool,
    existing: str,
    no_verify: bool,
    change: int,
    timeout: float,
    admin: str | None,
    as_json: bool,
) -> None:
    """Take back the last change of ROUTE, as `ambassador history` lists it; typed again, the change
    before. A move is taken back by a move: the endpoints must answer first.
    """
    wanted = Undo(route, hold, existing, not no_verify, timeout, change)
    undone: Undone = ask(wanted, admin)
    text = f"{undone.message}, in {age(undone.seconds)}"
    if undone.held:
        text += f"; {undone.held} waited meanwhile"
    show(undone, "\n".join([text, *undone.notes]), as_json)
