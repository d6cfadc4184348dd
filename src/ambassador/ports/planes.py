"""What carries the traffic of routes, and what passes to another process in an upgrade; see
`ports`.
"""

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

    One plane listens for every route; others may be in front of it and take sessions that it then
    never sees. These also have a status for every route, with the reason where they take no
    sessions.
    """

    @property
    def name(self) -> str:
        """The word that users write: "relay", "kernel"."""

    async def prepare(self, steps: Sequence[Step]) -> None:
        """Raise ConfigError or PlaneError where it is known beforehand that `apply` would fail.
        Changes nothing that carries traffic.
        """

    async def apply(self, steps: Sequence[Step]) -> None:
        """Perform all steps or none: when one fails (a port is taken), the steps before it are
        undone and PlaneError says which one and why. Sessions of routes that no step names are not
        touched.
        """

    async def measure(self, routes: Sequence[Route] | None = None) -> None:
        """Bring the numbers of `status` up to date, where that takes time; with `routes`, at least
        how many sessions of these are open. Raises PlaneError.
        """

    def status(self, routes: Sequence[Route] | None = None) -> Sequence[RouteStatus]:
        """Return one entry for each of `routes` that this plane has, or for all in the order they
        were added. Does not block.
        """

    async def sessions(self, routes: Sequence[Route] | None = None) -> Sequence[SessionStatus]:
        """Return the open sessions of `routes`, including those of endpoints that have left;
        without `routes` all, including those of removed routes. Raises PlaneError.
        """

    async def cut(self, ids: Collection[str], reason: Reason) -> int:
        """End the sessions with these `ids` now; both sides see a reset. Ids of other planes, or of
        sessions that have ended, are ignored. Return how many were ended. Raises PlaneError when
        the process lacks the right to.
        """

    async def drain(self, grace: float) -> int:
        """Take no new sessions except clients that are waiting already, and wait at most `grace`
        seconds for open ones to end; then cut the rest. Return how many were cut.
        """


class Transferable(Protocol):
    """A part that passes to another process in an upgrade: listeners, kernel rules, numbers. `lend`
    comes first; then `pause`, and `give_up` or `take_back`.
    """

    async def lend(self) -> Sequence[socket.socket]:
        """Change nothing from now on; return the sockets a successor needs."""

    def pause(self) -> None:
        """Accept nothing for the time being; clients wait."""

    async def take_back(self) -> None:
        """Go on as before `lend`."""

    def give_up(self) -> None:
        """Release what the successor has; open sessions go on."""


class Piece(NamedTuple):
    """Some of the sessions that are passed: their state, and their sockets."""

    text: bytes
    sockets: Sequence[socket.SocketType]


class Passing(Protocol):
    """A holder of sessions that another process can continue. First, copies of what does not change
    are handed over, while all sessions are carried on; then, at one moment, the rest.
    """

    @property
    def passing(self) -> int:
        """The version of the format that is handed over."""

    async def gather(self) -> None:
        """Get all sessions into this process; `take_back` follows where they stay."""

    def copies(self) -> Iterator[Piece]:
        """Yield the pieces that have not been yielded yet."""

    async def stop_accepting(self) -> None:
        """Let new clients wait from now on, so that `freeze` has less to do; `take_back` follows
        where all stays here.
        """

    def freeze(self) -> tuple[Sequence[Piece], bytes]:
        """Accept nothing any more; return the rest, and the state of all sessions, which is valid
        as long as nothing else is done. `gone` or `take_back` follows.
        """

    def gone(self) -> int:
        """Another process has the sessions: release them; return how many they were."""

    def returned(self) -> None:
        """The other process, which has not taken over, has no copies any more."""


class ListeningPlane(Plane, Transferable, Passing, Protocol):
    """The plane that listens for every route, and that hands over its listeners and sessions."""

    def take(self, text: bytes, descriptors: Sequence[int]) -> None:
        """Take a piece from another process, where these sessions still go on. Raises RunError,
        with all of `descriptors` closed.
        """

    def settle(self, state: bytes) -> None:
        """Prepare to continue the sessions in the `state` of the other process. Raises RunError."""

    def disown(self) -> None:
        """Drop the sessions that were taken: they go on in the other process."""

    def begin(self) -> None:
        """Continue the sessions that were taken, now that the predecessor has let go; `accept` is
        next.
        """

    async def accept(self) -> None:
        """Accept clients, now that the predecessor has let go."""

    async def ended(self) -> None:
        """Return when every open session has ended."""


class ForwardingPlane(Plane, Transferable, Protocol):
    """A plane in front of the listening one, whose rules go on in the successor."""


class Holder(Passing, Protocol):
    """All that can be handed over, as the predecessor offers it."""

    async def lend(self, passes: bool) -> tuple[Sequence[socket.socket], bytes]:
        """Let nothing change from now on; return every socket and the operator's wishes. `passes`:
        open sessions will be passed, too.

        Raises RunError when this is not possible now, with nothing changed.
        """

    def pause(self) -> None:
        """Accept nothing for the time being; clients wait."""

    async def take_back(self) -> None:
        """Go on as before `lend`."""

    async def give_up(self, successor: int) -> None:
        """All of it belongs to process `successor` now."""

    async def counters(self) -> tuple[bytes, Sequence[socket.socket]]:
        """Return, after `give_up`, the counters, and the connections to earlier processes."""


class Front(Plane, Protocol):
    """A plane in front of another."""

    def hindrance(self, route: Route) -> str:
        """Return why new sessions of `route` would not be carried by this plane, if it were
        installed as it is; empty where no such reason is known.
        """

    def fence(self, route: Route) -> Callable[[], object]:
        """Let nothing pass, either way, between clients of `route` and where it leads now, until
        the returned function is called; meanwhile `apply` takes that way away. Neither blocks nor
        raises; a front that cannot do this lets traffic pass.
        """

    async def untold(self, ids: Collection[str]) -> str:
        """Return a text where not both sides of the sessions with these `ids`, which were cut just
        now, learn of the end in spite of all that can be done, which may take 1.5 s; empty when
        they do.
        """


class Earlier(Plane, Protocol):
    """Sessions that go on in processes that had the routes before this one. There are no new
    sessions, and `apply` only reports the changes of the routes: it does not fail. `status` leaves
    out routes that none of these processes had.
    """

    @property
    def processes(self) -> Sequence[tuple[int, int]]:
        """The pid of each process, and how many sessions it had at its last answer."""
