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
    plane: str  # what new sessions meet
    why: str  # why this plane, or what it leaves to another; empty when there is nothing to say
    opened: int  # sessions since the route was added
    open: int  # sessions now
    refused: int  # sessions that found no upstream within the route's `connect`
    to_upstream: int  # bytes; those in the kernel with the headers of their packets
    to_client: int


class Plane(Protocol):
    """What carries the traffic of routes.

    One plane listens for every route; others may stand in front of it and take sessions that it
    then never sees. Those answer for all routes too, with the reason where they take none.
    """

    @property
    def name(self) -> str:
        """The word users write: "relay", "kernel"."""

    async def prepare(self, steps: Sequence[Step]) -> None:
        """Raise ConfigError or PlaneError where it can be told beforehand that `apply` would
        fail. Changes nothing that carries traffic.
        """

    async def apply(self, steps: Sequence[Step]) -> None:
        """Perform all steps or none: when one fails (a port is taken), those before it are
        undone and PlaneError says which and why. Sessions of routes that no step names are not
        touched.
        """

    async def measure(self) -> None:
        """Bring the numbers of `status` up to date, where that takes time. Raises PlaneError."""

    def status(self, routes: Sequence[Route] | None = None) -> Sequence[RouteStatus]:
        """Return one entry for each of `routes`, or for all in the order they were added. Does
        not block.
        """

    async def drain(self, grace: float) -> int:
        """Take no new sessions but those that wait already, and wait at most `grace` seconds for
        open ones to end; then cut the rest. Return how many were cut.
        """
