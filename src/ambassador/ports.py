"""Every seam between the core and the world. The docstrings are the contract; tests/contract
runs one suite a seam against each implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ambassador.core.plan import Step
from ambassador.model import Route, Snapshot

__all__ = ["Plane", "Resolver", "RouteStatus", "Source"]


class Source(Protocol):
    """Where routes come from."""

    @property
    def name(self) -> str:
        """A short word for logs and `status`: "environment", "hosts"."""

    def read(self) -> Snapshot:
        """Return all that the source says now.

        Raises ConfigError when what it says is wrong and SourceError when it cannot be asked;
        in both cases the caller keeps the last good snapshot. A source that cannot be asked is
        never an empty source.
        """


class Resolver(Protocol):
    """Names to addresses."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the IP literals of `host`, in order of preference, at least one.

        An IP literal is returned as it is. A fresh answer is served from memory; after its TTL
        the name is asked again; when asking fails the last good answer stands. Raises
        ResolveError when there has never been an answer.
        """

    def doubt(self, host: str) -> None:
        """Say that an address of `host` did not work: the next `resolve` asks again."""

    def watch(self, host: str, changed: Callable[[Sequence[str]], None]) -> Callable[[], None]:
        """Keep `host` resolved and call `changed` when its addresses change, until the returned
        function is called. `changed` is called on the loop's thread and must not block.
        """


@dataclass(frozen=True, slots=True)
class RouteStatus:
    """What a plane knows of one route now."""

    route: Route
    plane: str
    why: str  # why this plane; empty when there was no choice
    opened: int  # sessions since the route was added
    open: int  # sessions now
    refused: int  # sessions that found no upstream within the route's `connect`
    to_upstream: int  # bytes
    to_client: int  # bytes


class Plane(Protocol):
    """What carries the traffic of routes."""

    @property
    def name(self) -> str:
        """The word users write: "relay"."""

    async def apply(self, steps: Sequence[Step]) -> None:
        """Perform all steps or none: when one fails (a port is taken), those before it are
        undone and PlaneError says which and why. Sessions of routes that no step names are not
        touched.
        """

    def status(self) -> Sequence[RouteStatus]:
        """Return one entry a route, in the order they were added. Does not block."""

    async def drain(self, grace: float) -> int:
        """Stop listening, take what is waiting in the backlogs, and wait at most `grace` seconds
        for open sessions to end; then cut the rest. Return how many were cut.
        """
