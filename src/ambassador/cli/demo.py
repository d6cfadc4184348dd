"""`ambassador demo`: watch how a service moves while its consumers go on."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

import click

from ambassador.app import App, new_loop, sources
from ambassador.cli.terminal import wants_colour
from ambassador.demo.consumer import Tally
from ambassador.demo.fleet import tell_fleet
from ambassador.demo.screen import Screen
from ambassador.demo.stage import staged
from ambassador.demo.story import Start, tell
from ambassador.settings import Settings

__all__ = ["command"]

_T = TypeVar("_T")
_NEXT = (
    ("check REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379", "show what it would do"),
    ("run REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379", "do it"),
    ("--help", "everything else"),
)


@click.command("demo")
@click.argument("story", default="move", type=click.Choice(["move", "fleet"]), metavar="[fleet]")
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(min=1))
def command(story: str, seconds: float) -> int:
    """Start a Valkey, an ambassador in front of it and consumers; move the service to a second
    Valkey while the consumers go on, then kill it; exit 0 when every request was answered and
    no acknowledged write is lost.

    With `fleet`: an etcd, ten ambassadors with a consumer each, and one move for all.

    It uses free ports of 127.0.0.1, asks no questions, and leaves nothing behind.
    """
    screen = Screen(sys.stdout, colour=wants_colour(sys.stdout))
    with tempfile.TemporaryDirectory(prefix="ambassador-demo-") as folder:
        # It changes nothing outside this process, except for an admin socket in this folder.
        settings = Settings(admin=f"{folder}/admin.sock", plane="relay")
        start = partial(
            staged,
            screen,
            lambda source: App(settings, [source]),
            lambda variables: sources(settings, variables, ())[0].read(),
            admin=settings.admin,
        )
        try:
            with asyncio.Runner(loop_factory=lambda: new_loop(settings)) as runner:
                if story == "fleet":
                    return 0 if runner.run(_until_told(tell_fleet(screen, seconds))) else 1
                tally = runner.run(_tell(screen, start, seconds))
        except asyncio.CancelledError:  # by SIGTERM or SIGHUP; asyncio.Runner handles Ctrl-C itself
            raise KeyboardInterrupt from None
    if tally.flawless:
        rows = [(f"{_program()} {arguments}", f"# {why}") for arguments, why in _NEXT]
        width = max(len(line) for line, _ in rows)
        screen.plain("", "Next, with a service of your own:", "")
        screen.plain(*(f"  {line:<{width}}  {why}" for line, why in rows))
    return 0 if tally.flawless else 1


def _program() -> str:
    """Return what to type for `ambassador` on this machine."""
    if shutil.which("ambassador"):
        return "ambassador"
    return sys.argv[0] if sys.argv[0].endswith("/ambassador") else "python3 -m ambassador"


async def _until_told(story: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of `story`, unless a signal ends it."""
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await story


async def _tell(screen: Screen, start: Start, seconds: float) -> Tally:
    try:
        return await _until_told(tell(screen, start, seconds))
    except asyncio.CancelledError:
        screen.say("consumer", "stopped before the end; nothing is left running", "bad")
        raise
