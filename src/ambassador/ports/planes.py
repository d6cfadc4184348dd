"""What carries the traffic of routes, and what changes hands in an upgrade; see `ports`."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple, Protocol

from ambassador.core.plan import Step
from ambassador.core.reports import RouteStatus, SessionStatus
from ambassador.model import Reason, Route

__all__ = [
    "Earlier",
    "ForwardingPlane",
    "Front",
    "Holder",
    "ListeningPlane",
    "Passing",
    "Piece",
    "Plane",
    "Transferable",
]


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

    async def measure(self, routes: Sequence[Route] | None = None) -> None:
        """Bring the numbers of `status` up to date, where that takes time; of `routes`, where they
        are given, at least how many sessions are open. Raises PlaneError.
        """

    def status(self, routes: Sequence[Route] | None = None) -> Sequence[RouteStatus]:
        """Return one entry for each of `routes` that is here, or for all in the order they were
        added. Does not block.
        """

    async def sessions(self, routes: Sequence[Route] | None = None) -> Sequence[SessionStatus]:
        """Return the open sessions of `routes`, those of endpoints that have left among them; or
        all, those of removed routes among them. Raises PlaneError.
        """

    async def cut(self, ids: Collection[str], reason: Reason) -> int:
        """End the sessions of these `ids` now; both sides see a reset. Ids of other planes, or
        of sessions that have ended, are passed over. Return how many were ended. Raises
        PlaneError when it lacks the right to.
        """

    async def drain(self, grace: float) -> int:
        """Take no new sessions but those that wait already, and wait at most `grace` seconds for
        open ones to end; then cut the rest. Return how many were cut.
        """


class Transferable(Protocol):
    """A part of what changes hands in an upgrade: listeners, kernel rules, numbers. `lend` comes
    first; then `pause`, and `give_up` or `take_back`.
    """

    async def lend(self) -> Sequence[socket.socket]:
        """Change nothing from now on; return the sockets a successor needs."""

    def pause(self) -> None:
        """Accept nothing for the time being; clients wait."""

    async def take_back(self) -> None:
        """Go on as before `lend`."""

    def give_up(self) -> None:
        """Let go of what the successor has; open sessions go on."""


class Piece(NamedTuple):
    """Some of the sessions that are passed: what is known of them, and their sockets."""

    text: bytes
    sockets: Sequence[socket.SocketType]


class Passing(Protocol):
    """Whoever has sessions that another process can go on with. First copies of what stays as it is
    are handed over, while all are carried on; then, at one moment, the rest.
    """

    @property
    def passing(self) -> int:
        """The version of what is handed over."""

    async def gather(self) -> None:
        """Have them all here; `take_back` follows where they stay."""

    def copies(self) -> Iterator[Piece]:
        """Yield what has not been yielded yet."""

    async def stop_accepting(self) -> None:
        """Let new clients wait from now on, so that there is less to do in the moment that counts;
        `take_back` follows where all stays here.
        """

    def freeze(self) -> tuple[Sequence[Piece], bytes]:
        """Accept nothing any longer; return the rest, and the state of all, which counts while
        nothing else is done. `gone` or `take_back` follows.
        """

    def gone(self) -> int:
        """Another process has them: let go; return how many they were."""

    def returned(self) -> None:
        """The other process has no copies any longer, though it has not taken over."""


class ListeningPlane(Plane, Transferable, Passing, Protocol):
    """The plane that listens for every route, and hands its listeners and sessions over."""

    def take(self, text: bytes, descriptors: Sequence[int]) -> None:
        """Take a piece of what another process hands over: it goes on there still. Raises RunError,
        with all of `descriptors` closed.
        """

    def settle(self, state: bytes) -> None:
        """Be ready to go on as the other process says. Raises RunError."""

    def disown(self) -> None:
        """Forget what was taken: it goes on in the other process."""

    def begin(self) -> None:
        """Go on with what was taken, which has waited for the predecessor to let go; `accept` is
        next.
        """

    async def accept(self) -> None:
        """Accept, which has waited for the predecessor to let go."""

    async def ended(self) -> None:
        """Return when every open session has ended."""


class ForwardingPlane(Plane, Transferable, Protocol):
    """A plane in front of it, whose rules go on in the successor."""


class Holder(Passing, Protocol):
    """All that can be handed over, as the predecessor offers it."""

    async def lend(self, passes: bool) -> tuple[Sequence[socket.socket], bytes]:
        """Let nothing change from now on; return every socket and the operator's wishes. `passes`:
        open sessions will go along.

        Raises RunError when this is not the time for it, with nothing changed.
        """

    def pause(self) -> None:
        """Accept nothing for the time being; clients wait."""

    async def take_back(self) -> None:
        """Go on as if nothing had been."""

    async def give_up(self, successor: int) -> None:
        """It all belongs to process `successor` now."""

    async def counters(self) -> tuple[bytes, Sequence[socket.socket]]:
        """Return, after `give_up`, what was counted, and the connections to earlier processes."""


class Front(Plane, Protocol):
    """A plane in front of another."""

    def hindrance(self, route: Route) -> str:
        """Return why new sessions of `route` would not be carried here, were it installed as it is;
        empty where nothing is known that keeps them out.
        """

    def fence(self, route: Route) -> Callable[[], object]:
        """Let nothing pass, either way, between clients of `route` and where it leads now, until
        what is returned is called: `apply` takes it away meanwhile. Neither blocks nor raises; a
        front that cannot lets it pass.
        """

    async def untold(self, ids: Collection[str]) -> str:
        """Return what to say where not both sides of sessions of these `ids`, which were cut just
        now, hear of it after all that can be done, which may take 1.5 s; empty when they do.
        """


class Earlier(Plane, Protocol):
    """What goes on in processes that had the routes before this one. Nothing new comes to it, and
    `apply` only tells it what has become of the routes: it does not fail. `status` leaves out
    routes that none of them had.
    """

    @property
    def processes(self) -> Sequence[tuple[int, int]]:
        """The pid of each, and how many sessions it had when it was asked last."""
