"""`ambassador reload`: read the sources again."""

from __future__ import annotations

import click

from ambassador.cli.running import asking, do
from ambassador.core.commands import Reload

__all__ = ["command"]


@click.command("reload")
@asking
def command(admin: str | None, as_json: bool) -> None:
    """Read the sources again, as SIGHUP does. If something is wrong, it is shown, and nothing
    changes.
    """
    do(Reload(), admin, as_json)
