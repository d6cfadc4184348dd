"""`ambassador run`: listen and forward until a signal stops it."""

from __future__ import annotations

import asyncio
import os
import sys

import click

from ambassador import log
from ambassador.app import new_loop, serve, sources
from ambassador.app.assemble import assigned
from ambassador.cli.flags import setting_flags
from ambassador.cli.terminal import wants_colour
from ambassador.errors import AmbassadorError
from ambassador.settings import SETTINGS, Settings

__all__ = ["command"]


@click.command("run")
@click.argument("assignments", nargs=-1, metavar="[ASSIGNMENT... | HOST PORT]")
@setting_flags(*SETTINGS)
def command(assignments: tuple[str, ...], **flags: str | None) -> int:
    """Listen and forward: the routes of the environment and of the arguments.

    \b
    ambassador run REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379
    ambassador run DB_PORT_5432_TCP=tcp://db1:5432,tcp://db2:5432?backup
    ambassador run 172.17.0.4 80

    SIGTERM and SIGINT stop it, letting open sessions end; SIGHUP reads the sources again; SIGUSR2
    starts the version on disk, which takes over.
    """
    wanted = flags["log"] or os.environ.get(SETTINGS["log"].variable, "")
    as_json = wanted.strip() == "json"  # known first: errors in the settings are JSON lines, too
    colour = wants_colour(sys.stderr)
    log.configure(level="info", as_json=as_json, colour=colour)
    try:
        settings = Settings.from_environ(os.environ, flags)
        log.configure(level=settings.level, as_json=as_json, colour=colour)
        for note in settings.notes:
            log.event(log.WARNING, "note", note, source="settings")
        if any("=" not in one for one in assignments):
            # first: a mistyped verb must be the error that is shown, even if another ambassador
            # has the admin socket
            assigned(assignments)
        with asyncio.Runner(loop_factory=lambda: new_loop(settings)) as runner:
            runner.run(serve(settings, sources(settings, os.environ, assignments)))
    except AmbassadorError as error:
        if not as_json:
            raise
        log.event(log.ERROR, "not_started", str(error), exit_code=error.exit_code)
        return error.exit_code
    return 0
