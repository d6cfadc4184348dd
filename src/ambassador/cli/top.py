"""`ambassador top`: what the running ambassador does, live."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import click

from ambassador.admin import client
from ambassador.admin.plain import encode
from ambassador.cli.frame import Film
from ambassador.cli.running import addressed, admin_socket, duration
from ambassador.core.commands import Status
from ambassador.errors import ConfigError, Problem

__all__ = ["command"]

# The alternate screen, so that the old content comes back; the cursor off (xterm, ctlseqs).
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _END_OF_LINE, _REST = "\x1b[H", "\x1b[K", "\x1b[J"
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


@click.command("top")
@addressed
@click.option(
    "--interval",
    default="1s",
    show_default=True,
    metavar="DURATION",
    callback=duration("--interval"),
    help="The time between two looks.",
)
@click.option("--plain", is_flag=True, help="Only show a table; the only key is q.")
@click.option("--once", is_flag=True, help="Look twice, print the difference, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print one look as JSON, as `status` does.")
def command(admin: str | None, interval: float, *, plain: bool, once: bool, as_json: bool) -> None:
    """Show every route and endpoint with state, rates and small plots of the last two minutes, the
    totals and the last events; sort, filter, open a route, and operate it. `?` lists the keys, q
    ends it. If the ambassador ends, `top` waits until one runs again.
    """
    if not (as_json or once or (sys.stdin.isatty() and sys.stdout.isatty())):
        expected, example = "a terminal, or --once", "ambassador top --once"
        raise ConfigError(Problem("top", "is for a terminal", "", expected, example))
    path = admin_socket(admin)
    if as_json:
        print(encode(client.ask(path, Status()), indent=2))
        return
    if once:
        _print_once(path, interval)
        return
    if not plain and _has_screen():
        from ambassador.cli.console import run  # noqa: PLC0415 (curses: only here)

        context = click.get_current_context()

        def find() -> Path:
            with context.scope(cleanup=False):  # the thread that calls this has no context
                return admin_socket(admin)

        run(find, interval)
        return
    film = Film()
    film.add(client.ask(path, Status()), time.monotonic())
    with _screen():
        while not _draw(film, interval):
            film.add(client.ask(path, Status()), time.monotonic())


def _has_screen() -> bool:
    """Return whether curses can use this terminal; if not, say that the plain view is used."""
    try:
        import curses  # noqa: PLC0415 (only here)

        curses.setupterm()
        usable = bool(curses.tigetstr("cup"))  # whether the cursor can be moved
    except (ImportError, ValueError, OSError):
        usable = False
    except Exception as error:
        if type(error).__name__ != "error":  # curses.error: no such terminal is known
            raise
        usable = False
    if not usable:
        name = os.environ.get("TERM") or "nothing"
        print(f"TERM={name} is not a terminal for keys: the plain view", file=sys.stderr)
    return usable


def _print_once(path: Path, interval: float) -> None:
    film = Film()
    film.add(client.ask(path, Status()), time.monotonic())
    time.sleep(interval)
    film.add(client.ask(path, Status()), time.monotonic())
    columns, _ = shutil.get_terminal_size((120, 0))
    print("\n".join(line.rstrip() for line in film.lines(columns, sys.maxsize)))


def _draw(film: Film, interval: float) -> bool:
    """Show the film and wait; return whether the user has typed q."""
    columns, rows = shutil.get_terminal_size()
    lines = film.lines(columns, rows)
    if len(lines) > 2 and "NO_COLOR" not in os.environ:
        lines[2] = f"{_BOLD}{lines[2]}{_PLAIN}"
    text = "\n".join(f"{line}{_END_OF_LINE}" for line in lines)
    sys.stdout.write(f"{_HOME}{text}{_REST}")
    sys.stdout.flush()
    if not select.select([sys.stdin], [], [], interval)[0]:
        return False
    typed = os.read(sys.stdin.fileno(), 100)
    return not typed or b"q" in typed


@contextlib.contextmanager
def _screen() -> Iterator[None]:
    """Use a screen of our own, and read keys without Enter; restore the terminal at the end."""
    import termios  # noqa: PLC0415 (only here)
    import tty  # noqa: PLC0415

    before = termios.tcgetattr(sys.stdin)
    # before the screen: the handler of cli.main would end the process without restoring it
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        tty.setcbreak(sys.stdin)
        sys.stdout.write(_ENTER)
        yield
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
