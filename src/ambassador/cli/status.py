"""`ambassador status`: what the running ambassador does, as a table or JSON."""

from __future__ import annotations

import json

import click

from ambassador.admin import client
from ambassador.admin.views import StatusView
from ambassador.cli.asked import admin_socket
from ambassador.cli.flags import setting_flags
from ambassador.cli.text import size, table

__all__ = ["command"]

_HEAD = ("ROUTE", "LISTEN", "ENDPOINTS", "PLANE", "OPEN", "OPENED", "REFUSED", "UP", "DOWN", "WHY")


@click.command("status")
@setting_flags("admin")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(admin: str | None, as_json: bool) -> None:
    """Show every route of the running ambassador: where it listens and leads, open sessions,
    sessions opened and refused since it began, bytes to the upstream and to the client, and why it
    has its plane, or what that leaves to another, where there is something to say.
    """
    view = client.status(admin_socket(admin))
    print(json.dumps(view.as_json(), indent=2) if as_json else _text(view))


def _text(view: StatusView) -> str:
    rows = [
        (
            route.name,
            route.listen,
            ", ".join(route.endpoints),
            route.plane,
            str(route.open),
            str(route.opened),
            str(route.refused),
            size(route.to_upstream),
            size(route.to_client),
            route.why,
        )
        for route in view.routes
    ]
    first = f"{view.phase} for {view.uptime:.0f} s, ambassador {view.version}, pid {view.pid}"
    columns = len(_HEAD) if any(route.why for route in view.routes) else len(_HEAD) - 1
    return f"{first}\n\n{table(_HEAD[:columns], [row[:columns] for row in rows])}"
