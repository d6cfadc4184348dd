"""What a peer is: found on this machine, configured by a pure function, started by commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import Missing

__all__ = ["Forward", "Limits", "Peer", "on_path"]


@dataclass(frozen=True, slots=True)
class Forward:
    """Listen on one address, forward to another."""

    listen: tuple[str, int]
    endpoint: tuple[str, int]

    @property
    def name(self) -> str:
        """A name that is a word in every peer's configuration."""
        return f"r{self.listen[1]}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the machine allows a peer: open files; and the cores it may use."""

    descriptors: int = 20000
    workers: int = 2

    def sessions(self, routes: int) -> int:
        """Return sessions at once: two descriptors each, besides listeners, logs and pipes."""
        return (self.descriptors - 2 * routes) // 2 - 500


@dataclass(frozen=True, slots=True)
class Peer:
    """One go-between.

    `find` returns the program's path or raises Missing; `commands` are what to start, with
    `files` written into the folder given before. Both are pure.
    """

    name: str
    label: str
    why: str
    find: Callable[[], str]
    version: Callable[[str], Sequence[str]]
    commands: Callable[[str, Sequence[Forward], Path, Limits], list[list[str]]]
    files: Callable[[Sequence[Forward], Path, Limits], Mapping[str, str]] = field(
        default=lambda _forwards, _folder, _limits: {}
    )
    reasons: tuple[tuple[str, str], ...] = ()
    ours: bool = False
    process_a_session: bool = False  # thousands of sessions are thousands of processes


def on_path(find: Callable[[str], str | None], program: str, package: str) -> str:
    """Return the path of `program`; raise Missing with the package that has it."""
    path = find(program)
    if path is None:
        raise Missing(f"{program} is not installed: apt-get install {package}")
    return path
