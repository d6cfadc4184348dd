"""`ambassador page`: the running ambassador in a browser."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from ambassador.cli.running import addressed, admin_socket
from ambassador.cli.text import safe
from ambassador.errors import RunError

__all__ = ["command"]

# A file that redirects to the link. The link itself is not given to the browser as an argument,
# because all users of the host can see the arguments of a process.
_LEADS = """<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={link}"><title>ambassador</title>
<p><a href="{link}">The page of the ambassador</a>"""


@click.command("page")
@click.option(
    "--port",
    default=0,
    metavar="N",
    type=click.IntRange(0, 65535),
    help="Serve the page on this port of 127.0.0.1. Default: any free port.",
)
@click.option("--no-browser", is_flag=True, help="Only print the link.")
@addressed
def command(*, port: int, no_browser: bool, admin: str | None) -> None:
    """Show the running ambassador in a browser: its routes in a picture, their numbers and
    sessions, and everything that verbs do.

    This process serves the page on 127.0.0.1, until Ctrl-C. The printed link works once; Enter
    prints another, for another tab. No other user of this host has access.
    """
    # imported here: it takes 30 ms, which other verbs save
    from ambassador.admin.loopback import LoopbackPage  # noqa: PLC0415

    path = admin_socket(admin)
    try:
        page = LoopbackPage(path, port)
    except OSError as error:
        why = f"{(error.strerror or str(error)).lower()}; without --port a free one is taken"
        raise RunError(f"port {port} of 127.0.0.1: {why}") from error
    with contextlib.ExitStack() as stack:
        stack.callback(page.server_close)
        threading.Thread(target=page.serve_forever, name="page", daemon=True).start()
        stack.callback(page.shutdown)
        print(page.link(), flush=True)
        print(safe(f"the page of the ambassador at {path}"), file=sys.stderr)
        print("the link works once; Enter: another; Ctrl-C ends the page", file=sys.stderr)
        # Without this handler SIGTERM would end the process at once (see cli.main), and the file
        # of a link would be left behind.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        if not no_browser:
            stack.enter_context(_opened(page.link()))
        _wait(page.link)


def _wait(link: Callable[[], str]) -> None:
    """Print another link for each Enter, until the program is interrupted."""
    typed = sys.stdin
    while typed is not None and typed.isatty():
        select.select([typed], [], [])
        if not typed.readline():
            break
        print(link(), flush=True)
    threading.Event().wait()


@contextlib.contextmanager
def _opened(link: str) -> Iterator[None]:
    """Open `link` in the browser, if there is one."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        yield
        return
    import webbrowser  # noqa: PLC0415 (only here)

    folder = Path(tempfile.mkdtemp(prefix="ambassador-page-"))  # only its owner may read it
    try:
        file = folder / "link.html"
        file.write_text(_LEADS.format(link=link))
        file.chmod(0o600)
        with contextlib.suppress(webbrowser.Error):
            webbrowser.open(file.as_uri())
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
