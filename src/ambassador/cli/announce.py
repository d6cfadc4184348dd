"""`ambassador announce NAME ENDPOINT`: put an endpoint into etcd as long as it works."""

from __future__ import annotations

import asyncio
import os
import sys

import click

from ambassador import log
from ambassador.cli.flags import setting_flags
from ambassador.cli.running import duration
from ambassador.cli.terminal import wants_colour
from ambassador.core.fleet.keys import NAME
from ambassador.errors import ConfigError, Problem
from ambassador.settings import Settings
from ambassador.spec import parse_endpoint, shown
from ambassador.spec.health import PRIMARIES, parse_health

__all__ = ["command"]

_ETCD = ("etcd", "etcd_ca", "etcd_cert", "etcd_key", "etcd_user", "etcd_password_file", "fleet")
_EXAMPLE = "ambassador announce redis tcp://10.0.0.5:6379"


@click.command("announce")
@click.argument("service")
@click.argument("endpoint")
@click.option("--health", default="", metavar="PROBE", help="The probe: redis, redis-primary, ...")
@click.option(
    "--ttl",
    default="10s",
    show_default=True,
    metavar="DURATION",
    callback=duration("--ttl"),
    help="How long the endpoint stays in etcd after this command has crashed.",
)
@click.option("--user", default="", metavar="NAME", help="The user of a -primary probe.")
@click.option("--password-file", default="", metavar="PATH", help="The file with the password.")
@setting_flags(*_ETCD, "log")
def command(
    service: str,
    endpoint: str,
    *,
    health: str,
    ttl: float,
    user: str,
    password_file: str,
    **flags: str | None,
) -> int:
    """Put ENDPOINT into etcd as an endpoint of SERVICE, only while it is healthy; SIGTERM
    withdraws it.

    \b
    ambassador announce redis tcp://10.0.0.5:6379
    ambassador announce redis tcp://10.0.0.5:6379 --health redis-primary --ttl 10s
    """
    as_json = (flags["log"] or os.environ.get("AMBASSADOR_LOG", "")).strip() == "json"
    log.configure(level="info", as_json=as_json, colour=wants_colour(sys.stderr))
    settings = Settings.from_environ(os.environ, flags)
    if not NAME.fullmatch(service):
        what, expected = "is not a name of a service", "letters, digits, -, _ and ."
        raise ConfigError(Problem("service", what, shown(service), expected, _EXAMPLE))
    found = parse_endpoint(endpoint if "://" in endpoint else f"tcp://{endpoint}", "endpoint")
    wanted = parse_health(health, "--health") if health else ""
    if wanted in PRIMARIES and wanted != "redis-primary" and not user:
        what = f"{wanted} needs a user: without a log-in a replica looks like a primary"
        example = f"{_EXAMPLE} --health {wanted} --user probe"
        raise ConfigError(Problem("--user", what, "", "a user", example))
    from ambassador.app.announce import announce  # noqa: PLC0415 (ssl, h11)

    asyncio.run(
        announce(
            settings,
            service,
            found,
            health=wanted,
            ttl=ttl,
            user=user,
            password_file=password_file,
        )
    )
    return 0
