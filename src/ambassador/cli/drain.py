"""`ambassador drain ROUTE|ENDPOINT`: no new sessions, open ones finish."""

from __future__ import annotations

import click

from ambassador.cli.running import asking, do, duration, place_of
from ambassador.core.commands import Drain

__all__ = ["command"]


@click.command("drain")
@click.argument("place", metavar="ROUTE|ENDPOINT")
@click.argument("endpoint", default="", metavar="[ENDPOINT]")
@click.option(
    "--deadline",
    metavar="DURATION",
    callback=duration("--deadline"),
    help="Cut what is left by then. Default: never.",
)
@asking
def command(
    place: str, endpoint: str, deadline: float | None, admin: str | None, as_json: bool
) -> None:
    """Give endpoints no new sessions; open ones finish. `ready` takes it back.

    \b
    ambassador drain db1:5432                 of every route that has it
    ambassador drain db tcp://db1:5432        of one route
    ambassador drain db --deadline 30s        all endpoints of a route
    """
    do(Drain(**place_of(place, endpoint), deadline=deadline or 0.0), admin, as_json)
