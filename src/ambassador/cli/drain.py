"""`ambassador drain ROUTE|ENDPOINT`: no new sessions, open ones finish."""

from __future__ import annotations

import click

from ambassador.cli.running import asking, do, duration, place_of, wait_until_none
from ambassador.core.commands import Drain
from ambassador.core.results import RouteView

__all__ = ["command"]


@click.command("drain")
@click.argument("place", metavar="ROUTE|ENDPOINT")
@click.argument("endpoint", default="", metavar="[ENDPOINT]")
@click.option(
    "--deadline",
    metavar="DURATION",
    callback=duration("--deadline"),
    help="Cut the sessions that are left after this time. Default: never.",
)
@click.option(
    "--wait", is_flag=True, help="Return when the drained endpoints have no session left."
)
@asking
def command(
    place: str,
    endpoint: str,
    *,
    deadline: float | None,
    wait: bool,
    admin: str | None,
    as_json: bool,
) -> None:
    """Give endpoints no new sessions; open ones finish. `ready` takes it back.

    \b
    ambassador drain db1:5432                 this endpoint, in every route that has it
    ambassador drain db tcp://db1:5432        this endpoint, in one route
    ambassador drain db --deadline 30s        all endpoints of a route
    """
    where = place_of(place, endpoint)
    done = do(Drain(**where, deadline=deadline or 0.0), admin, as_json)
    if wait:
        wanted = _bare(where.get("endpoint", ""))
        wait_until_none(done.routes, lambda route, _: _is_busy(route, wanted), admin)


def _is_busy(route: RouteView, wanted: str) -> bool:
    """Return whether drained endpoints of `route` (or the `wanted` one) have sessions."""
    drained = [part for part in route.endpoints if part.admin == "drain"]
    return any(part.open for part in drained if wanted in ("", _bare(part.endpoint)))


def _bare(endpoint: str) -> str:
    return endpoint.rpartition("://")[2].partition("?")[0]
