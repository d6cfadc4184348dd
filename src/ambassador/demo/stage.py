"""The ambassador of the demonstration: the whole product, in this process, from link variables."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from ambassador.app import App
from ambassador.demo.screen import Screen
from ambassador.demo.story import Change
from ambassador.errors import RunError
from ambassador.model import Snapshot
from ambassador.ports import Source

__all__ = ["Staged", "staged"]

Read = Callable[[Mapping[str, str]], Snapshot]


class _Variables:
    """A source whose variables can be changed, which those of a process cannot."""

    name = "environment"
    guess = False

    def __init__(self, read: Read, variables: Mapping[str, str]) -> None:
        self._read = read
        self.now = variables

    def read(self) -> Snapshot:
        return self._read(self.now)


class _ToScreen(logging.Handler):
    """Show what the ambassador logs as its lines of the demonstration."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.INFO)
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        mood = "bad" if record.levelno > logging.INFO else ""
        self._screen.say("ambassador", record.getMessage(), mood)


class Staged:
    """A running ambassador whose variables can be changed."""

    def __init__(self, app: App, variables: _Variables) -> None:
        self._app = app
        self._variables = variables

    async def change(self, variables: Mapping[str, str]) -> None:
        """Let `variables` take the place of those before; sessions go on."""
        self._variables.now = variables
        if not await self._app.reconciler.reload():
            raise RunError("the ambassador did not take the new variables")


@asynccontextmanager
async def staged(
    screen: Screen, make: Callable[[Source], App], read: Read, variables: Mapping[str, str]
) -> AsyncIterator[Change]:
    """Run the ambassador that `make` makes, and give what changes its variables; `read` turns those
    into routes.
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
            yield Staged(app, source).change
        finally:
            await app.stop()
    finally:
        logger.removeHandler(to_screen)
        logger.setLevel(level)
