"""`ambassador healthcheck`: for a container's HEALTHCHECK and Kubernetes' exec probes."""

from __future__ import annotations

import os

import click

from ambassador.admin import client

__all__ = ["command"]


@click.command("healthcheck")
@click.option("--admin", default="", metavar="PATH", help="The admin socket to ask.")
@click.option("--timeout", default=3.0, show_default=True, metavar="SECONDS")
def command(admin: str, timeout: float) -> int:
    """Exit 0 when the running ambassador listens on all its routes, else 1."""
    path = client.find(os.environ, admin or os.environ.get("AMBASSADOR_ADMIN", ""))
    good, phase = client.ready(path, timeout)
    print(phase)
    return 0 if good else 1
