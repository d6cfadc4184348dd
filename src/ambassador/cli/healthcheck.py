"""`ambassador healthcheck`: for a container's HEALTHCHECK and Kubernetes' exec probes."""

from __future__ import annotations

import click

from ambassador.admin import client
from ambassador.cli.asked import admin_socket
from ambassador.cli.flags import setting_flags

__all__ = ["command"]


@click.command("healthcheck")
@setting_flags("admin")
@click.option(
    "--timeout",
    default=3.0,
    show_default=True,
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    help="How long to wait for the answer.",
)
def command(admin: str | None, timeout: float) -> int:
    """Exit 0 when the running ambassador listens on all its routes, else 1."""
    good, phase = client.ready(admin_socket(admin), timeout)
    print(phase)
    return 0 if good else 1
