"""The messages of `worker_protocol`, which says what they are for. Pure."""

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
    0. It has a number that no other way of the door ever had. `endpoint` is what it is an address
    of, as it is written, and `written` how the name has it.
    """

    number: int
    address: str
    port: int
    endpoint: str = ""
    written: str = ""


class Door(NamedTuple):
    """What clients of one listener meet. `turns`: which place has the first, the second, ... client
    (in any order, if `random`); `places` has the ways of each, used in turn. `limit` is how many
    seconds a connection may take; after a moment it is the relay's where there are `alternatives`.
    `note` is for the relay that comes after one that was killed; see `notes`.
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
    """All up to `version` is done."""

    version: int


class Bring(NamedTuple):
    """A client of a door, accepted at `started`, has no upstream: the connection to a way has
    failed with `error` (errno.h), or is still being made (`under_way`), or neither. `known`: it has
    been told of before.
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
    """What is known of one side: bytes read from it, bytes unsent to it (which are in the file),
    whether it is read still, whether its peer waits until it has taken all, and flags of `Side`.
    """

    received: int
    unsent: int
    is_read: bool
    delivers: bool
    flags: int


class Passed(NamedTuple):
    """A session: its state, the event that will have ended it, if there is one, and its sides."""

    version: int
    state: State
    event: Event
    client: PassedSide
    upstream: PassedSide


class Adopt(NamedTuple):
    """Carry this session, as it is; it is counted in this book. `note`: see Door."""

    key: int
    passed: Passed
    book: int = 0
    note: str = ""


class Back(NamedTuple):
    """Return at most so many sessions that are connected."""

    most: int


class Return(NamedTuple):
    """Carry this session from now on, as it is."""

    key: int
    passed: Passed


class Cut(NamedTuple):
    """Reset both sides of a session."""

    key: int


class Ask(NamedTuple):
    """Tell the numbers of all sessions."""


class Ping(NamedTuple):
    """Say hello."""


class Hello(NamedTuple):
    """Sessions may come."""


Client: TypeAlias = tuple[str, int] | None  # host and port, or a client of a path


class Opened(NamedTuple):
    """A client of a door was accepted; `way` and `connected` are 0 as long as it has no upstream.
    `inodes`: what its sockets are called in /proc/PID/fd, that of the client first.
    """

    key: int
    door: int
    way: int
    started: float
    connected: float
    inodes: tuple[int, int]
    client: Client


class Joined(NamedTuple):
    """A session that was told of has its upstream."""

    key: int
    way: int
    connected: float
    inode: int


class Ended(NamedTuple):
    """A session has ended, first by `event`."""

    key: int
    event: Event
    to_upstream: int
    to_client: int


class Sum(NamedTuple):
    """Sessions of a door that were over before they were told of: how long each took to connect,
    if it did, and in all, in seconds; their bytes together.
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
    """What has become of sessions, in order."""

    items: tuple[Item, ...]


class Told(NamedTuple):
    """Numbers of some sessions; with `more` there are others to come. All sessions hold `held`
    bytes unsent.
    """

    more: bool
    held: int
    numbers: tuple[Numbers, ...]


class Noted(NamedTuple):
    """What sessions that were told of are called: (key, number of the session in its route)..."""

    numbers: tuple[tuple[int, int], ...]


class Keep(NamedTuple):
    """Keep a copy of a listening socket, in case the relay is killed."""

    number: int


class Drop(NamedTuple):
    """Close what was kept by that number."""

    number: int


class Claim(NamedTuple):
    """The relay that speaks was killed: work for this one, which speaks this version."""

    version: int


class Orphaned(NamedTuple):
    """Answers Claim. Where the versions differ nothing else follows: it lets go of all listeners,
    and ends with its last session.
    """

    version: int
    pid: int
    row: int
    rows: int


class Box(NamedTuple):
    """A letter box, see Shared; in the order of the rows."""


class Listens(NamedTuple):
    """A listening socket; `number` and `note` are of its door, where it has one. See `notes`."""

    number: int
    note: str


class Books(NamedTuple):
    """What this worker has counted in a book until now; see Shared."""

    number: int
    values: tuple[int, ...]


class Carries(NamedTuple):
    """A session that is open, counted in that book; `way` is 0 while it has no upstream; `inodes`
    as in Opened. `note` is what is known beside that; see `notes`.
    """

    key: int
    book: int
    way: int
    inodes: tuple[int, int]
    to_upstream: int
    to_client: int
    note: str


class Whole(NamedTuple):
    """That was all; what comes now is as between any relay and its worker."""


Message: TypeAlias = (
    Adopt | Cut | Ask | Hello | News | Told | Ping | Door | Shut | Heard | Bring | Back | Return
    | Noted | Keep | Drop | Claim | Orphaned | Box | Listens | Books | Carries | Whole
)  # fmt: skip
