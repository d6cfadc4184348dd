"""What a setting is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["PREFIX", "Setting"]

PREFIX = "AMBASSADOR_"


class Setting(NamedTuple):
    """One row of the table. `parse` takes the text and its place, and raises ConfigError;
    `default` is written as a user would write it, empty if there is none.
    """

    name: str
    parse: Callable[[str, str], Any]
    form: str
    default: str
    example: str
    help: str
    secret: bool = False  # never shown, and has no flag: all users see the arguments of a process

    @property
    def variable(self) -> str:
        """The name of the environment variable."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The name of the flag."""
        return f"--{self.name.replace('_', '-')}"
