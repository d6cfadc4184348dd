"""Which error has which HTTP status: one table, for the program that answers and for its client.
The exit code of the command line is in each class of `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ambassador.admin.plain import decode
from ambassador.errors import (
    AmbassadorError,
    ConfigError,
    ConflictError,
    NotFoundError,
    NotVerifiedError,
    Problem,
    RunError,
    TimedOutError,
)

__all__ = ["FAULTS", "MANNERS", "Fault", "FaultView", "as_error", "fault_of", "view_of"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: a word for machines, the class, the status (RFC 9110 section 15)."""

    kind: str
    error: type[AmbassadorError]
    status: int

    @property
    def exit_code(self) -> int:
        """What the command line exits with."""
        return self.error.exit_code


# The first row whose class fits counts.
FAULTS: tuple[Fault, ...] = (
    Fault("not_found", NotFoundError, 404),
    Fault("conflict", ConflictError, 409),
    Fault("wrong", ConfigError, 422),
    Fault("not_verified", NotVerifiedError, 502),
    Fault("timed_out", TimedOutError, 504),
    Fault("failed", RunError, 503),
)

# What can be wrong with a request before there is a command: the kind, and what it means.
MANNERS: Mapping[int, tuple[str, str]] = {
    400: ("malformed", "the body is not a JSON object"),
    401: ("unauthorized", "the bearer token is missing or wrong"),
    405: ("method", "the path takes another method"),
    408: ("slow", "the body did not arrive in time"),
    413: ("too_large", "the body is larger than 256 KiB"),
    415: ("media_type", "the body is not application/json"),
    429: ("busy", "too many requests are being answered; try again in a moment"),
    500: ("bug", "a bug; the log of the ambassador has more"),
}


@dataclass(frozen=True, slots=True)
class FaultView:
    """Why the command was not done. Each problem has where, what, read, expected and example."""

    kind: str
    message: str
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def fault_of(error: AmbassadorError) -> Fault:
    """Return the row of `error`."""
    return next((row for row in FAULTS if isinstance(error, row.error)), FAULTS[-1])


def view_of(error: AmbassadorError) -> dict[str, Any]:
    """Return `error` as plain values, for the answer."""
    if isinstance(error, ConfigError):
        view = FaultView(fault_of(error).kind, str(error), error.problems, error.notes)
    else:
        view = FaultView(fault_of(error).kind, str(error))
    return asdict(view)


def as_error(value: Any) -> AmbassadorError:
    """Return the error from which `view_of` made `value`. Raises ConfigError."""
    view = decode(value, FaultView, "answer", strict=False)
    row = next((row for row in FAULTS if row.kind == view.kind), FAULTS[-1])
    if issubclass(row.error, ConfigError):
        return row.error(*view.problems, notes=view.notes)
    return row.error(view.message)
