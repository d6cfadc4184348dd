"""The table of HTTP requests: one operation for each verb of `core.commands`.

A command that changes nothing is a GET, with its fields as parameters; any other is a POST whose
JSON body is the command.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from ambassador.core.commands import VERBS, Command

__all__ = ["ASKED", "OPERATIONS", "Events", "Operation", "described", "operation_of"]


# The header says when a command was given, in seconds since 1970; its timeout counts from then.
ASKED = "Ambassador-Asked"


@dataclass(frozen=True, slots=True)
class Events:
    """What has happened: one JSON object a line, the oldest first, those with a number above
    `after` that are still known. With `follow` the answer goes on until one side ends.
    """

    after: int = 0
    follow: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One row. `command` is the dataclass of its parameters or body."""

    verb: str
    method: str
    path: str
    command: type[Command]

    @property
    def summary(self) -> str:
        """The first sentence of its description."""
        return described(self.command).partition("\n")[0].partition(". ")[0].rstrip(".:")


def described(kind: type) -> str:
    """Return the docstring of `kind`, each paragraph on a line of its own."""
    text = inspect.cleandoc(kind.__doc__ or "")
    return "\n".join(" ".join(part.split()) for part in text.split("\n\n"))


OPERATIONS: tuple[Operation, ...] = tuple(
    Operation(verb, "POST" if command.changes else "GET", f"/v1/{verb}", command)
    for verb, command in VERBS.items()
)


def operation_of(command: Command) -> Operation:
    """Return the row of `command`."""
    return next(row for row in OPERATIONS if row.command is type(command))
