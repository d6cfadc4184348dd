"""Every exception of the product.

    AmbassadorError
    ├── ConfigError          what was typed is wrong; nothing has changed (exit code 2)
    │   ├── NotFoundError    there is no route, endpoint or session of that name (3)
    │   └── ConflictError    it contradicts the state: a second hold, a move to itself (4)
    └── RunError             what was typed is right, but cannot be done now (1)
        ├── PlaneError       a listener or a ruleset could not be installed
        │   └── UnsureError      a change was begun, and it is unknown whether it was made
        ├── SourceError      a source could not be read; its last good snapshot stays in force
        │   └── LostRoutesError  it has lost most of its routes, perhaps not on purpose
        ├── ResolveError     a name has no address; the last good answer stays in use
        │   └── NoSuchNameError  the name server in charge says that it no longer exists
        ├── EngineError      a container engine cannot be asked; its last answer stays in use
        ├── NotVerifiedError a new endpoint does not answer; nothing has changed (5)
        ├── TimedOutError    it was not begun in time; everything is as it was (6)
        ├── NobodyError      no ambassador runs there, or it does not answer (7)
        └── StoreError       the operator's changes cannot be stored; nothing has changed

Any other exception that leaves the program is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AmbassadorError",
    "ConfigError",
    "ConflictError",
    "EngineError",
    "LostRoutesError",
    "NoSuchNameError",
    "NobodyError",
    "NotFoundError",
    "NotVerifiedError",
    "PlaneError",
    "Problem",
    "ResolveError",
    "RunError",
    "SourceError",
    "StoreError",
    "TimedOutError",
    "UnsureError",
    "in_a_line",
    "in_words",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in what the user wrote.

    `where` names the variable, argument, flag or file and line; `what` says what is wrong there;
    `read` is the text as it was found (already free of secrets), `expected` the form it must
    have, `example` a line that can be typed as it stands. The last three may be empty.
    """

    where: str
    what: str
    read: str = ""
    expected: str = ""
    example: str = ""

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}"]
        for label in ("read", "expected", "example"):
            text = getattr(self, label)
            if text:
                lines.append(f"  {label + ':':<9} {text}")
        return "\n".join(lines)


class AmbassadorError(Exception):
    """The root: every exception that the product raises on purpose."""

    exit_code = 1


class ConfigError(AmbassadorError):
    """The command or configuration is wrong; `problems` lists every error, not only the first, and
    `notes` what was ignored before and may be the cause (an empty variable).
    """

    exit_code = 2

    def __init__(self, *problems: Problem, notes: tuple[str, ...] = ()) -> None:
        self.problems = problems
        self.notes = notes
        super().__init__("\n".join([*map(str, problems), *(f"note: {note}" for note in notes)]))


class NotFoundError(ConfigError):
    """There is no route, endpoint or session of that name."""

    exit_code = 3


class ConflictError(ConfigError):
    """The command contradicts the present state."""

    exit_code = 4


class RunError(AmbassadorError):
    """The command is right, but cannot be done now."""


class PlaneError(RunError):
    """A listener or a ruleset could not be installed."""


class UnsureError(PlaneError):
    """A change was begun, and it is unknown whether it was made."""


class SourceError(RunError):
    """A source could not be read; its last good snapshot stays in force."""


class LostRoutesError(SourceError):
    """A source no longer has most of its routes; they stay in force until a reload by the
    operator.
    """

    def __init__(self, message: str, source: str = "") -> None:
        super().__init__(message)
        self.source = source


class ResolveError(RunError):
    """A name has no address now; the last good answer, if there is one, stays in use."""


class NoSuchNameError(ResolveError):
    """The name does not exist, says the name server in charge: its last addresses are not good."""


class EngineError(RunError):
    """A container engine cannot be asked, or refuses; its last answer stays in use. `forbidden`:
    the path that is not allowed, empty where the reason is another one.
    """

    def __init__(self, message: str, forbidden: str = "") -> None:
        super().__init__(message)
        self.forbidden = forbidden


class NotVerifiedError(RunError):
    """A new endpoint does not answer, or not in time; nothing has changed."""

    exit_code = 5


class TimedOutError(RunError):
    """The command was not begun in time; everything is as it was."""

    exit_code = 6


class NobodyError(RunError):
    """No ambassador runs there, or it does not answer."""

    exit_code = 7


class StoreError(RunError):
    """The operator's changes cannot be stored where they should be; nothing has changed."""


def in_words(error: BaseException, longest: int = 0) -> str:
    """Return the text of `error`, with `longest` at most so many characters of it; for an exception
    that is not ours its type comes first, since its text alone may say little.
    """
    if longest and len(text := in_words(error)) > longest:
        return f"{text[:longest]}..."
    if isinstance(error, AmbassadorError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def in_a_line(error: BaseException) -> str:
    """Return the text of `error`, several problems one after the other, for a line of the log."""
    if isinstance(error, ConfigError):
        parts = [_in_a_line(problem) for problem in error.problems]
        return "; ".join([*parts, *(f"note: {note}" for note in error.notes)])
    return "; ".join(line.strip() for line in in_words(error).splitlines())


def _in_a_line(problem: Problem) -> str:
    labels = [
        f"{label} {text}"
        for label in ("read", "expected", "example")
        if (text := getattr(problem, label))
    ]
    return f"{problem.where}: {problem.what}" + (f" ({'; '.join(labels)})" if labels else "")
