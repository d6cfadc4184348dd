"""`ambassador cut ROUTE|ENDPOINT|SESSION`: end open sessions now."""

from __future__ import annotations

import re

import click

from ambassador.cli.running import asking, do, place_of, wait_until_none
from ambassador.core.commands import Cut
from ambassador.core.results import RouteView, SessionList
from ambassador.errors import NotFoundError

__all__ = ["command"]

# Ids as `sessions` shows them: the letter of the plane, numbers, and for another process @ and its
# pid.
_SESSION = re.compile(r"[a-z]\d+(\.\d+)?(@\d+)?", re.ASCII)


@click.command("cut")
@click.argument("place", metavar="ROUTE|ENDPOINT|SESSION")
@click.argument("endpoint", default="", metavar="[ENDPOINT]")
@click.option(
    "--rate",
    metavar="N",
    type=click.IntRange(min=1),
    help="Cut at most N sessions a second. Default: all at once.",
)
@click.option("--wait", is_flag=True, help="Return when these sessions have ended.")
@asking
def command(
    place: str, endpoint: str, *, rate: int | None, wait: bool, admin: str | None, as_json: bool
) -> None:
    """End open sessions with a reset on both sides: those of a route, of an endpoint, or a single
    one.

    \b
    ambassador cut redis --rate 50
    ambassador cut redis tcp://192.168.1.52:6379
    ambassador cut r1.17                      an id that `ambassador sessions` shows
    """
    try:
        done = do(Cut(**place_of(place, endpoint), rate=rate or 0), admin, as_json)
    except NotFoundError:
        if endpoint or not _SESSION.fullmatch(place):
            raise
        done = do(Cut(session=place), admin, as_json)  # no route has this name: it is an id
    if wait:
        wait_until_none(done.routes, _leaving, admin)


def _leaving(_route: RouteView, found: SessionList) -> bool:
    return any(one.state == "leaving" for one in found.sessions)
