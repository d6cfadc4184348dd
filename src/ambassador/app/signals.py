"""Run the program under the signals of its process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.app.application import App
from ambassador.app.reclaim import Left, left_by_one_killed, tell_restart
from ambassador.app.replacement import Replacement
from ambassador.errors import ConfigError, NobodyError, Problem, RunError
from ambassador.garbage import none_collected, seldom
from ambassador.planes.relay.descriptors import make_room, raise_limit
from ambassador.planes.relay.passing import VERSION
from ambassador.ports import Source
from ambassador.settings import Settings
from ambassador.tasks import Coalesced, spawn

if TYPE_CHECKING:
    from ambassador.handover.successor import Successor

__all__ = ["serve"]

_NOT_OF_THREADS = 0x20000000  # __WNOTHREAD, wait(2)
# Seconds that a working thread may keep the interpreter each time the loop returns from a system
# call; accepting a client takes a dozen calls. The default is 5 ms.
_SWITCH = 0.0001
_NO_WAY = Problem(
    "AMBASSADOR_UPGRADE",
    "needs an admin socket: beside it, one ambassador takes over from another",
    "AMBASSADOR_ADMIN=off",
    "AMBASSADOR_ADMIN=PATH, the same as of the one that runs",
    "AMBASSADOR_ADMIN=/run/ambassador/admin.sock",
)


async def serve(
    settings: Settings, sources: Sequence[Source], ready: Callable[[], None] = lambda: None
) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reloads; SIGUSR2 starts a successor; a second stop signal
    ends the grace. `ready` is called once the routes exist.

    Raises ConfigError and RunError when it cannot start, with nothing left running.
    """
    loop = asyncio.get_running_loop()
    stop, hurry = asyncio.Event(), asyncio.Event()

    def ask_to_stop(name: str) -> None:
        (hurry if stop.is_set() else stop).set()
        log.event(log.INFO, "signal", f"{name}: stopping", signal=name)

    started = asyncio.Event()

    async def reload() -> None:
        await started.wait()
        await app.reload()

    reloads = Coalesced(reload, "reload on SIGHUP")
    loop.add_signal_handler(signal.SIGHUP, reloads.ask)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP,))  # see cli.main
    tell_restart(os.environ)
    replacement = Replacement(os.environ)
    loop.add_signal_handler(signal.SIGUSR2, replacement.ask)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_stop, number.name)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))  # see supervisor.py
    if os.getpid() == 1:
        # Not by the loop's own function: uvloop keeps SIGCHLD for itself and refuses it.
        signal.signal(signal.SIGCHLD, lambda *_: _reap())
    make_room(raise_limit())
    successor = await _successor(settings) if settings.upgrade else None
    left = Left() if successor else left_by_one_killed(settings, os.environ)
    app = App(settings, sources, successor, os.environ, left=left)
    with none_collected():
        try:
            await app.start()
        except RunError as error:
            if told := left.explained(error):
                raise told from error
            raise
    ready()
    seldom()
    sys.setswitchinterval(_SWITCH)
    started.set()
    waits = [spawn(stop.wait(), "stop"), spawn(app.handed_over.wait(), "successor")]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if app.handed_over.is_set():
        await app.leave(stop)
    await app.stop(hurry)
    log.event(log.INFO, "stopped", "stopped")


async def _successor(settings: Settings) -> Successor | None:
    """Ask the running ambassador for all it has; None where none runs: then this one starts on its
    own.
    """
    if settings.admin == "off":
        raise ConfigError(_NO_WAY)
    from ambassador.admin.client import find  # noqa: PLC0415 (only an upgrade needs it)
    from ambassador.handover.successor import Successor as Asking  # noqa: PLC0415 (the same)

    try:
        return await Asking.ask(find(os.environ, settings.admin, settings.name), VERSION)
    except NobodyError:  # units want this: take over, or start
        text = "no ambassador is there to take over from: this one starts on its own"
        log.event(log.WARNING, "nobody_to_succeed", text)
        return None


def _reap() -> None:
    """Reap orphans: where we are process 1 of the container, every process whose parent is gone
    becomes our child, and stays a zombie until we wait for it (wait(2)). Children that one of our
    threads has started are left to that thread.
    """
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG | _NOT_OF_THREADS)[0]:
            pass
