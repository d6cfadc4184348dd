"""`ambassador publish NAME PORT[:PORT]`: give a running container a port of this host."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, replace
from functools import partial

import click

from ambassador import log
from ambassador.admin import client
from ambassador.admin.locate import ANSWERS, every
from ambassador.app import new_loop, serve
from ambassador.app.assemble import published
from ambassador.app.publish import PREFIX, Publication, publication, publishable
from ambassador.cli.running import asking, do, show
from ambassador.cli.terminal import wants_colour
from ambassador.cli.text import table
from ambassador.core.commands import Add, Status
from ambassador.core.results import StatusView
from ambassador.errors import AmbassadorError, ConfigError, Problem
from ambassador.settings import Settings

__all__ = ["command"]

_PATIENCE = 2.0  # seconds; see `list`
_HEAD = ("PORT", "CONTAINER", "AT", "OPEN", "PID", "KEPT BY")


@dataclass(frozen=True, slots=True)
class Published:
    """A container with a port of this host: `port` is the listen address, `at` the addresses of the
    container. `pid` is the ambassador that forwards; `kept` is its name if it keeps the route as a
    wish.
    """

    port: str
    container: str
    at: tuple[str, ...]
    open: int
    pid: int
    kept: str = ""


@click.command("publish")
@click.argument("container", default="", metavar="[NAME]")
@click.argument("ports", default="", metavar="[PORT[:PORT]][/udp]")
@click.option("--keep", is_flag=True, help="Let the running ambassador do it, and keep it.")
@click.option("--list", "listed", is_flag=True, help="List the published ports.")
@asking
def command(
    container: str, ports: str, *, keep: bool, listed: bool, admin: str | None, as_json: bool
) -> None:
    """Give a running container a port of this host, until this command is stopped (Ctrl-C, or
    SIGTERM).

    \b
    ambassador publish redis 6379          port 6379 of this host, the same port of the container
    ambassador publish web 8080:80         port 8080 of this host, 80 of the container
    ambassador publish dns 5353:53/udp
    ambassador publish --list

    The container is followed through restarts and recreation. With --keep the ambassador that runs
    here does it, and with AMBASSADOR_STATE also after a restart; `ambassador remove` ends it.
    """
    if listed:
        found = _published()
        show(found, _text(found), as_json)
        return
    if not container or not ports:
        missing = "PORT" if container else "NAME"
        example = f"ambassador publish {container or 'redis'} 6379"
        raise ConfigError(Problem(missing, "is missing", "", "NAME PORT[:PORT]", example))
    wanted = publication(container, ports)
    settings = Settings.from_environ(os.environ)
    where = publishable(settings, os.environ, wanted)
    if keep:
        do(Add((wanted.assignment,)), admin, as_json)
        return
    log.configure(
        level=settings.level, as_json=settings.log == "json", colour=wants_colour(sys.stderr)
    )
    settings = replace(settings, name=wanted.name, plane="relay", admin="", state="")
    with asyncio.Runner(loop_factory=lambda: new_loop(settings)) as runner:
        runner.run(serve(settings, published(wanted.assignment), partial(_say, wanted, where)))


def _say(one: Publication, where: str) -> None:
    print(f"port {one.port} leads to {one.wanted.name}, {where}", flush=True)


def _published() -> list[Published]:
    found = []
    for seen in every(os.environ):
        if seen.state != ANSWERS:
            continue
        try:
            view: StatusView = client.ask(seen.path, Status(), _PATIENCE)
        except AmbassadorError:
            continue
        by_itself = view.place.name.startswith("publish-")
        for route in view.routes:
            if route.name.startswith(PREFIX):
                endpoint = route.endpoints[0] if route.endpoints else None
                containers = endpoint.containers if endpoint else ()
                at = tuple(a.replace("#", ":") for one in containers for a in one.addresses)
                name = route.name.removeprefix(PREFIX)
                container = containers[0].name if containers else name
                kept = "" if by_itself else view.place.name or str(seen.path)
                found.append(Published(route.listen, container, at, route.open, view.pid, kept))
    return found


def _text(found: list[Published]) -> str:
    if not found:
        return "nothing is published"
    rows = [
        (
            one.port,
            one.container,
            ", ".join(one.at) or "-",
            str(one.open),
            str(one.pid),
            one.kept or "-",
        )
        for one in found
    ]
    return table(_HEAD, rows)
