"""`ambassador healthcheck`: for a container's HEALTHCHECK and Kubernetes' exec probes."""

from __future__ import annotations

import json

import click

from ambassador.admin import client
from ambassador.cli.running import addressed, admin_socket, duration
from ambassador.cli.terminal import complain
from ambassador.cli.text import safe
from ambassador.errors import NobodyError

__all__ = ["command"]


@click.command("healthcheck")
@addressed
@click.option(
    "--timeout",
    default="3s",
    show_default=True,
    metavar="DURATION",
    callback=duration("--timeout"),
    help="How long to wait for the answer.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, even if nothing answers.")
@click.option("--endpoints", is_flag=True, help="Also require an endpoint that works per route.")
def command(admin: str | None, timeout: float, *, as_json: bool, endpoints: bool) -> int:
    """Exit 0 when the running ambassador listens on all its routes, else 1."""
    try:
        good, phase = client.ready(admin_socket(admin), timeout, endpoints=endpoints)
    except NobodyError as error:
        if as_json:
            print(json.dumps({"ready": False, "error": str(error)}, indent=2))
        else:
            complain(str(error))
        return 1  # not 7: a HEALTHCHECK may only exit with 0 or 1 (Dockerfile reference)
    print(json.dumps({"ready": good, "phase": phase}, indent=2) if as_json else safe(phase))
    return 0 if good else 1
