"""The messages between relay and worker; `worker_protocol` says what they are for. Pure."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from ambassador.core.session import Event, State

__all__ = [
    "Adopt",
    "Ask",
    "Back",
    "Books",
    "Box",
    "Bring",
    "Carries",
    "Claim",
    "Client",
    "Cut",
    "Door",
    "Drop",
    "Ended",
    "Heard",
    "Hello",
    "Item",
    "Joined",
    "Keep",
    "Listens",
    "Message",
    "News",
    "Noted",
    "Numbers",
    "Opened",
    "Orphaned",
    "Passed",
    "PassedSide",
    "Ping",
    "Return",
    "Shut",
    "Sum",
    "Told",
    "Way",
    "Whole",
]

Numbers: TypeAlias = tuple[int, int, int]  # key, to_upstream, to_client


class Way(NamedTuple):
    """One address that clients of a door are connected to: an IP literal and a port, or a path and
    0. Its `number` is of no other way of that door, ever. `endpoint` is the endpoint of the route
    that has this address; `written`: see evidence.Candidate. (A way of the kernel plane is
    something else.)
    """

    number: int
    address: str
    port: int
    endpoint: str = ""
    written: str = ""


class Door(NamedTuple):
    """Where clients of one listener are connected. `places` are the endpoints, each with its ways,
    used in turn; `turns`: the place of the first, the second, ... client (in any order, if
    `random`). `limit` is how many seconds a connection may take; where there are `alternatives`,
    the client is brought to the relay sooner. `note` is for the next relay; see `notes`.
    """

    version: int
    number: int
    turns: tuple[int, ...]
    places: tuple[tuple[Way, ...], ...]
    random: bool
    alternatives: bool
    limit: float
    keepalive: float
    note: str = ""


class Shut(NamedTuple):
    """Accept nothing at a door any longer."""

    version: int
    number: int


class Heard(NamedTuple):
    """All changes of doors up to `version` are made."""

    version: int


class Bring(NamedTuple):
    """A client of a door, accepted at `started`, has no upstream: the connection to a way has
    failed with `error` (errno.h), or is still being made (`under_way`). `known`: the relay has been
    told of the session before.
    """

    key: int
    known: bool
    door: int
    way: int
    started: float
    error: int
    under_way: bool
    client: Client


class PassedSide(NamedTuple):
    """What is known of one side of a session: bytes read from it; bytes not yet sent to it, which
    are in the file; whether it is still read; whether bytes are still being delivered to it after
    its peer was lost (see Delivery); and flags of `Side`.
    """

    received: int
    unsent: int
    is_read: bool
    delivers: bool
    flags: int


class Passed(NamedTuple):
    """A session: its state, the event that it will end by, if that is known (else CUT), and its
    sides.
    """

    version: int
    state: State
    event: Event
    client: PassedSide
    upstream: PassedSide


class Adopt(NamedTuple):
    """Carry this session from now on, in this state; count it in the `book`. `note`: see Door."""

    key: int
    passed: Passed
    book: int = 0
    note: str = ""


class Back(NamedTuple):
    """Return at most so many sessions that are connected."""

    most: int


class Return(NamedTuple):
    """The relay is to carry this session from now on, in this state."""

    key: int
    passed: Passed


class Cut(NamedTuple):
    """Reset both sides of a session."""

    key: int


class Ask(NamedTuple):
    """Tell the bytes that all sessions have carried; Told answers."""


class Ping(NamedTuple):
    """Answer with Hello."""


class Hello(NamedTuple):
    """The worker is at work: it can carry sessions."""


Client: TypeAlias = tuple[str, int] | None  # host and port; None: a client of a unix socket


class Opened(NamedTuple):
    """A client of a door was accepted; `way` and `connected` are 0 while it has no upstream.
    `inodes`: of its sockets, as in /proc/PID/fd; that of the client first.
    """

    key: int
    door: int
    way: int
    started: float
    connected: float
    inodes: tuple[int, int]
    client: Client


class Joined(NamedTuple):
    """A session that the relay knows from Opened has its upstream now."""

    key: int
    way: int
    connected: float
    inode: int


class Ended(NamedTuple):
    """A session has ended; `event` came first."""

    key: int
    event: Event
    to_upstream: int
    to_client: int


class Sum(NamedTuple):
    """Sessions of one way of a door that were over before the relay was told of them, all by
    `event`. `connects`: the seconds that each took to connect, if it did; `totals`: the seconds
    that each was open; the bytes of all together.
    """

    door: int
    way: int
    event: Event
    to_upstream: int
    to_client: int
    connects: tuple[float, ...]
    totals: tuple[float, ...]


Item: TypeAlias = Opened | Joined | Ended | Sum


class News(NamedTuple):
    """What has happened to sessions, in order."""

    items: tuple[Item, ...]


class Told(NamedTuple):
    """Bytes of some sessions; with `more` there are other messages to come. All sessions together
    hold `held` bytes unsent.
    """

    more: bool
    held: int
    numbers: tuple[Numbers, ...]


class Noted(NamedTuple):
    """For sessions that the worker has told of: (key, number of the session in its route)..."""

    numbers: tuple[tuple[int, int], ...]


class Keep(NamedTuple):
    """Keep a copy of a listening socket, in case the relay is killed."""

    number: int


class Drop(NamedTuple):
    """Close what was kept by that number."""

    number: int


class Claim(NamedTuple):
    """Sent by the next relay, after one was killed: work for it; it speaks this version."""

    version: int


class Orphaned(NamedTuple):
    """Answers Claim. Where the versions differ nothing else follows: the worker closes all its
    listeners, and ends with its last session.
    """

    version: int
    pid: int
    row: int
    rows: int


class Box(NamedTuple):
    """A letter box (see Shared) is attached; they come in the order of the rows."""


class Listens(NamedTuple):
    """A listening socket is attached; `number` and `note` are of its door, where it has one. See
    `notes`.
    """

    number: int
    note: str


class Books(NamedTuple):
    """What this worker has counted in a book until now; see Shared."""

    number: int
    values: tuple[int, ...]


class Carries(NamedTuple):
    """A session that is open and counted in `book`; `way` is 0 while it has no upstream; `inodes`
    as in Opened. `note` has the rest; see `notes`.
    """

    key: int
    book: int
    way: int
    inodes: tuple[int, int]
    to_upstream: int
    to_client: int
    note: str


class Whole(NamedTuple):
    """The answer to Claim ends here; from now on the relay and the worker speak as usual."""


Message: TypeAlias = (
    Adopt | Cut | Ask | Hello | News | Told | Ping | Door | Shut | Heard | Bring | Back | Return
    | Noted | Keep | Drop | Claim | Orphaned | Box | Listens | Books | Carries | Whole
)  # fmt: skip
