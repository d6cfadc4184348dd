"""Every seam between the core and the world. The docstrings are the contract; tests/contract
runs one suite a seam against each implementation. What planes tell of routes and sessions stands in
`core.reports`, and can be had here, too.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from ambassador.core.plan import Step
from ambassador.core.reports import EndpointMet, RouteStatus, SessionRecord, SessionStatus
from ambassador.core.wish import Wish
from ambassador.model import Address, Endpoint, Health, Reason, Route, RouteKey, Snapshot

if TYPE_CHECKING:
    from ambassador.core.containers.views import ContainerView, EngineView
    from ambassador.core.follow.lead import Lead
    from ambassador.core.follow.memory import Memories
    from ambassador.core.history import History

__all__ = [
    "Admission",
    "ClientArrived",
    "Dialogue",
    "Earlier",
    "EndpointJudged",
    "EndpointMet",
    "EndpointNoticed",
    "Engines",
    "ForwardingPlane",
    "Front",
    "HistoryStore",
    "Holder",
    "LeadReported",
    "ListeningPlane",
    "LoggingIn",
    "MemoryStore",
    "MetricsPage",
    "NameFeed",
    "Passing",
    "Piece",
    "Plane",
    "Probe",
    "Reloadable",
    "Resolver",
    "RouteStatus",
    "SessionEnded",
    "SessionRecord",
    "SessionStatus",
    "SessionsSummed",
    "Source",
    "StateStore",
    "Transferable",
    "Verifier",
    "unheard",
]


class Source(Protocol):
    """Where routes come from."""

    @property
    def name(self) -> str:
        """A short word for logs and `status`: "environment", "hosts"."""

    @property
    def guess(self) -> bool:
        """Whether it is asked only while no source before it names a route: it must not add to
        what was said outright.
        """

    def read(self) -> Snapshot:
        """Return all that the source says now.

        Raises ConfigError when what it says is wrong and SourceError when it cannot be asked;
        in both cases the caller keeps the last good snapshot. A source that cannot be asked is
        never an empty source.
        """


class Reloadable(Protocol):
    """What is read anew with the sources, and is no route."""

    @property
    def name(self) -> str:
        """A short word for logs and `status`."""

    def read(self) -> None:
        """Read it; what was read before stands. Raises ConfigError when it makes no sense."""

    def take_over(self) -> None:
        """From now on what was read last counts."""


class Admission(Protocol):
    """Who may come in at each route."""

    def __call__(self, route: Route) -> Route:
        """Return `route` with what its networks, and the files it names, come to. A file is read
        when it is named for the first time. Raises ConfigError: a file that cannot be read or makes
        no sense, networks that leave nobody, networks where clients have no address.
        """

    def files(self, routes: Iterable[Route]) -> frozenset[str]:
        """Return the paths of all files that count for `routes`."""

    def renew(self, path: str, routes: Iterable[Route]) -> None:
        """Read the file at `path` anew: from now on that counts for `routes`. Raises ConfigError as
        above, and what was read before stands.
        """


class Resolver(Protocol):
    """Names to addresses."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the IP literals of `host`, in order of preference, at least one.

        An IP literal is returned as it is; for a name that a feed follows there may be `#PORT`
        behind one, which is then the port to connect to (`core.located`). A fresh answer is
        served from memory; after its TTL the name is asked again; when asking fails the last good
        answer stands. Raises
        ResolveError when there has never been an answer, NoSuchNameError where it is known that it
        is nowhere.
        """

    def known(self, host: str) -> Sequence[str]:
        """Return what `resolve` would return without asking; nothing where it would have to."""

    def doubt(self, host: str) -> None:
        """Say that an address of `host` did not work: the next `resolve` asks again."""

    def wanted(self, host: str) -> float:
        """Say that a client waits for an address of `host`, which has none: no probe does. Return
        for how many seconds that is worth waiting, where it is longer than for others: a container
        is started. Else 0.
        """

    def watch(self, host: str, changed: Callable[[Sequence[str]], None]) -> Callable[[], None]:
        """Keep `host` resolved and call `changed` when its addresses change, until the returned
        function is called. `changed` is called on the loop's thread and must not block.
        """


class NameFeed(Protocol):
    """Says by itself where names of one scheme (`docker://redis:6379`) are, when that changes."""

    def follow(
        self, host: str, told: Callable[[Sequence[str], str, bool], None]
    ) -> Callable[[], None]:
        """Call `told` with the addresses of `host`, now or as soon as that is known, and whenever
        they change, until the returned function is called. An address is an IP literal, with
        `#PORT` where it has a port of its own; it is there several times for a greater share. With
        none comes why, and whether that is known (it is nowhere) or only cannot be asked.
        """

    def wanted(self, host: str) -> float:
        """See Resolver.wanted."""

    def doubt(self, host: str) -> None:
        """See Resolver.doubt."""

    def close(self) -> None:
        """Tell nothing any longer."""


class Engines(Protocol):
    """What is known of containers, for `status`."""

    def view(self, host: str) -> tuple[Sequence[ContainerView], str]:
        """Return the containers that the host of an endpoint means; why nobody is led to any."""

    def views(self) -> Sequence[EngineView]:
        """Return what is known of each engine."""


# Told of each session that has ended, on the loop's thread; must not block or raise.
SessionEnded = Callable[[SessionRecord], None]

# Told of relay sessions of a route that were over in a moment, where nobody needs to hear of each:
# how many seconds those that connected took for it, and all of them in all.
SessionsSummed = Callable[[str, Sequence[float], Sequence[float]], None]


# Told that an address of an endpoint of a route cannot be reached, or can again: the name of the
# route, the endpoint, the address (empty: all of it), and whether it is reachable.
EndpointNoticed = Callable[[str, Endpoint, str, bool], None]

# Told of each client that has reached the relay: the name of the route, the port, and the client as
# accept(2) or recvmsg(2) names it. Must not block or raise.
ClientArrived = Callable[[str, int, object], None]

# Told what probes conclude of an endpoint of a route, by its address, with the reason.
EndpointJudged = Callable[[RouteKey, Address, Health, str], Coroutine[Any, Any, None]]

# Told where the follower of a route leads it; returns when that is in force. Raises PlaneError.
LeadReported = Callable[[RouteKey, "Lead"], Coroutine[Any, Any, None]]

# Gives, for as long as an endpoint of a route is asked, what returns why it does not work: nothing
# where it does. It logs in on a connection that is kept.
LoggingIn = Callable[[Route, Endpoint], AbstractAsyncContextManager[Callable[[], Awaitable[str]]]]

# Returns the page of /metrics, in pieces.
MetricsPage = Callable[[], Awaitable[Sequence[bytes]]]


def unheard(_record: SessionRecord) -> None:
    """Hear of the end of a session, and do nothing."""


class Probe(Protocol):
    """What one protocol says and wants to hear, to know whether an endpoint works. It holds no
    state and touches nothing: the caller connects, sends, reads and closes.
    """

    def question(self, host: str) -> bytes:
        """Return what is sent once connected; nothing where the endpoint speaks first. `host` is
        its host as it is written, empty for a path.
        """

    def judge(self, answer: bytes) -> str | None:
        """Return what `answer`, all that was read so far, says: nothing when the endpoint works,
        else in a few words why not; None when there has to be more.
        """


@runtime_checkable
class Dialogue(Probe, Protocol):
    """A probe whose endpoint has to be answered, too."""

    def reply(self, answer: bytes) -> bytes:
        """Return all that is to be said once `answer`, all that was read so far, was heard: what
        was said before, and perhaps more. The question is no part of it.
        """


class Verifier(Protocol):
    """Asks whether endpoints that shall get traffic would answer."""

    async def verify(self, route: Route, endpoints: Sequence[Endpoint]) -> None:
        """Return when every address of each of `endpoints` has answered as those of `route`
        should: its probe, where it has one, else a connection. Takes as long as the endpoint
        lets it; the caller has a limit.

        Raises NotVerifiedError that names the endpoint and the reason.
        """


class StateStore(Protocol):
    """Where the operator's wishes outlive the program."""

    def load(self) -> tuple[Wish, ...]:
        """Return what was saved last; nothing when nothing ever was.

        Raises ConfigError when what is there makes no sense: it is left as it is.
        """

    def save(self, wishes: Collection[Wish]) -> None:
        """Keep `wishes` in place of what was kept. When it returns they are on disk; when it
        raises StoreError those saved before still are.
        """


class MemoryStore(Protocol):
    """Where what followers decided last outlives the program."""

    def load(self) -> Memories:
        """Return what was saved last; nothing when nothing ever was, or it makes no sense: what is
        not remembered is asked for.
        """

    def save(self, memories: Memories) -> None:
        """Keep `memories` in place of what was kept. When it returns they are on disk; when it
        raises StoreError those saved before still are.
        """


class HistoryStore(Protocol):
    """Where the operator's last changes outlive the program."""

    def load(self) -> History:
        """Return what was saved last; nothing when nothing ever was, or it makes no sense."""

    def save(self, history: History) -> None:
        """Keep `history` in place of what was kept. When it returns it is on disk; when it raises
        StoreError that saved before still is.
        """


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
        """Accept and go on, where that has waited for the predecessor to let go."""

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
