"""The ambassador of the demonstration: the whole program, in this process, from link variables."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from ambassador.app import App
from ambassador.demo.screen import Screen
from ambassador.errors import RunError
from ambassador.model import Snapshot
from ambassador.ports import Source

__all__ = ["Staged", "staged"]

Read = Callable[[Mapping[str, str]], Snapshot]


class _Variables:
    """A source whose variables can be changed; those of a running process cannot."""

    name = "environment"
    guess = False

    def __init__(self, read: Read, variables: Mapping[str, str]) -> None:
        self._read = read
        self.now = variables

    def read(self) -> Snapshot:
        return self._read(self.now)


class _ToScreen(logging.Handler):
    """Shows the log lines of the ambassador as lines of the demonstration."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.INFO)
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        mood = "bad" if record.levelno > logging.INFO else ""
        self._screen.say("ambassador", record.getMessage(), mood)


class Staged:
    """A running ambassador whose variables can be changed, and that takes an operator's verbs."""

    def __init__(self, app: App, variables: _Variables, screen: Screen, admin: str) -> None:
        self._app = app
        self._variables = variables
        self._screen = screen
        self._admin = admin

    async def change(self, variables: Mapping[str, str]) -> None:
        """Replace the variables by `variables`; sessions go on."""
        self._variables.now = variables
        if not await self._app.reconciler.reload():
            raise RunError("the ambassador did not take the new variables")

    async def operator(self, *words: str) -> None:
        """Run `ambassador WORDS` in a process of its own, and show command and output. Raises
        RunError when it fails.
        """
        self._screen.say("operator", f"$ ambassador {' '.join(words)}")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ambassador", *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | {"AMBASSADOR_ADMIN": self._admin},
            start_new_session=True,  # Ctrl-C reaches only the demonstration
        )
        try:
            said, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        for line in said.decode().splitlines():
            self._screen.say("operator", line, "bad" if process.returncode else "")
        if process.returncode:
            raise RunError(f"ambassador {words[0]} ended with {process.returncode}")


@asynccontextmanager
async def staged(
    screen: Screen,
    make: Callable[[Source], App],
    read: Read,
    variables: Mapping[str, str],
    admin: str = "off",
) -> AsyncIterator[Staged]:
    """Run the ambassador that `make` returns; `admin` is its admin socket, and `read` turns
    variables into routes.
    """
    source = _Variables(read, variables)
    logger, to_screen = logging.getLogger("ambassador"), _ToScreen(screen)
    level = logger.level
    logger.addHandler(to_screen)
    logger.setLevel(logging.INFO)
    try:
        app = make(source)
        await app.start()
        try:
            yield Staged(app, source, screen, admin)
        finally:
            await app.stop()
    finally:
        logger.removeHandler(to_screen)
        logger.setLevel(level)
