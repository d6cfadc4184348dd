"""What a command answers: plain values, ready for JSON. Times in seconds, sizes in bytes.

In JSON a field has its own name, without a `_` at its end (`from_`, since `from` is Python's).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ambassador.core.containers.views import ContainerView, EngineView
from ambassador.core.known import Changed, Place, ShortageView, SourceView

__all__ = [
    "AddressView",
    "Bucket",
    "ChangeList",
    "ChangeView",
    "Changed",
    "ContainerView",
    "Counted",
    "Done",
    "EarlierView",
    "EndpointLeft",
    "EndpointView",
    "EngineView",
    "FollowView",
    "HoldView",
    "IdentityView",
    "Moved",
    "NumbersView",
    "Place",
    "RemovedView",
    "RouteView",
    "SessionList",
    "SessionView",
    "ShortageView",
    "SourceView",
    "StatusView",
    "SwitchCount",
    "Undone",
]


# For the `metadata` of a field: for one release it also has its old key in JSON.
_WAS_FORMER = {"old": "former"}


@dataclass(frozen=True, slots=True)
class Done:
    """The command is done: a sentence about it; the routes it touched; how many sessions were
    ended, or are still open where they are ended later.
    """

    message: str
    routes: tuple[str, ...] = ()
    sessions: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """A move is done: `from` are the endpoints before. It took `seconds`; `held` sessions waited
    until its end. `notes`: which sessions stay where they were, and whether a restart undoes it.

    Where the move was only `checked`, nothing has changed. `verified`: the endpoints have answered.
    `sessions` are open at the old endpoints; the policy says what happens to them. `plane` would
    carry new sessions, as far as it can be told beforehand, and `why` says why.
    """

    message: str
    route: str
    endpoints: tuple[str, ...]
    from_: tuple[str, ...] = field(metadata=_WAS_FORMER)
    seconds: float
    held: int
    notes: tuple[str, ...] = ()
    checked: bool = False
    verified: bool = False
    sessions: int = 0
    plane: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Undone:
    """The change with the number `change` is taken back; the route leads to `endpoints` now (none:
    it is gone). Where this moved sessions, `held`, `sessions` and `notes` are as of a move.
    """

    message: str
    route: str
    change: int
    endpoints: tuple[str, ...]
    seconds: float
    held: int = 0
    notes: tuple[str, ...] = ()
    sessions: int = 0


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One change of a route: its `number`, when (seconds since 1970), by whom, what in a sentence,
    and its outcome: `done`, `undone`, or `failed: ` and why. `last`: `undo` takes this one back.
    """

    number: int
    route: str
    when: float
    who: str
    what: str
    outcome: str
    last: bool = False


@dataclass(frozen=True, slots=True)
class ChangeList:
    """Changes, the newest first; `total` includes those that are not listed."""

    changes: tuple[ChangeView, ...]
    total: int


@dataclass(frozen=True, slots=True)
class HoldView:
    """A hold in force: how many clients wait, how many may wait, and how long each."""

    waiting: int
    limit: int
    timeout: float


@dataclass(frozen=True, slots=True)
class AddressView:
    """What probes have found at one address of a name: `unknown`, `healthy` or `unhealthy`, and
    why.
    """

    address: str
    health: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EndpointView:
    """One endpoint: its URL, `ready`, `drain` or `maint`, and `unknown`, `healthy` or `unhealthy`;
    `reason` is why it is unhealthy, or why clients could not reach it the last time. Its open
    sessions, and whether it gets new ones that reach it. `containers` are those that it means.

    What clients have met: `failures` times it could not be reached, the last time at `failed`
    (seconds since 1970; 0: never) for `error`; sessions and bytes of the relay since it joined.
    `addresses` are those of its name, where there are several and they are probed.
    """

    endpoint: str
    admin: str
    health: str
    reason: str
    open: int
    usable: bool
    failures: int = 0
    error: str = ""
    failed: float = 0.0
    failing: bool = False
    opened: int = 0
    to_upstream: int = 0
    to_client: int = 0
    containers: tuple[ContainerView, ...] = ()
    addresses: tuple[AddressView, ...] = ()


@dataclass(frozen=True, slots=True)
class EndpointLeft:
    """An endpoint that has left its route and still has `open` sessions."""

    endpoint: str
    open: int


@dataclass(frozen=True, slots=True)
class SwitchCount:
    """How often the primary has changed for this cause."""

    cause: str
    count: int


@dataclass(frozen=True, slots=True)
class FollowView:
    """What leads a followed route: `authority` as it is written, `primary` where clients are let
    through (or were last) `since` then (seconds since 1970), `decides`: the authority or the
    operator; `why`: the evidence of the last decision. `members` are asked, `answering` of them
    answer; `problems`: what is wrong.
    """

    authority: str
    primary: str
    decides: str
    why: str
    since: float
    answering: int
    members: int
    problems: tuple[str, ...] = ()
    changes: tuple[SwitchCount, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteView:
    """One route. `left` are endpoints that have left it and still have sessions.

    `plane` carries new sessions and `why` says why; `differs` says what the operator has changed
    against the sources, empty when nothing.
    """

    name: str
    listen: str
    endpoints: tuple[EndpointView, ...]
    plane: str
    why: str
    open: int
    opened: int
    refused: int
    held: int
    to_upstream: int
    to_client: int
    existing: str
    origin: str
    hold: HoldView | None = None
    changed: Changed | None = None
    differs: str = ""
    left: tuple[EndpointLeft, ...] = ()
    follow: FollowView | None = None
    alike: str = ""  # a note that all clients appear as the gateway, to lists and limits too


@dataclass(frozen=True, slots=True)
class EarlierView:
    """A process that had the routes before and still has `open` sessions, which are also counted
    with the routes; the ids of its sessions end in `@` and its pid.
    """

    pid: int
    open: int


@dataclass(frozen=True, slots=True)
class RemovedView:
    """A route in the sources that the operator has removed; `differs` says since when."""

    name: str
    listen: str
    differs: str


@dataclass(frozen=True, slots=True)
class IdentityView:
    """Our identity in TLS: the files, the names in the certificate, when it `expires` (seconds
    since 1970; 0: there is none), and why newer files are not used, empty when they are.
    """

    files: str
    names: tuple[str, ...]
    expires: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class StatusView:
    """The whole program, or one route of it. `earlier`: processes where sessions go on after an
    upgrade; `removed`: routes that the operator has removed; `unkept`: why the operator's changes
    are not stored as they are, so that a restart would undo some; `source_ports`: where connections
    have found no source port; `place`: where the program can be reached; `engines`: those that are
    followed; `identity`: our identity in TLS.
    """

    phase: str
    version: str
    pid: int
    uptime: float
    routes: tuple[RouteView, ...]
    sources: tuple[SourceView, ...] = ()
    earlier: tuple[EarlierView, ...] = field(default=(), metadata=_WAS_FORMER)
    removed: tuple[RemovedView, ...] = ()
    unkept: str = ""
    source_ports: tuple[ShortageView, ...] = ()
    place: Place = Place()  # noqa: RUF009 (frozen)
    engines: tuple[EngineView, ...] = ()
    identity: IdentityView | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """A number of clients or sessions, for this reason."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """So many took at most `at_most` seconds, and longer than the bucket before; null: any time."""

    at_most: float | None
    count: int


@dataclass(frozen=True, slots=True)
class NumbersView:
    """What has been counted of a route: clients `turned_away` and sessions `ended`, by the reason,
    with those in the kernel as far as their end was seen; `connects`: how long sessions of the
    relay that have ended took to connect.
    """

    route: str
    opened: int
    refused: int
    ever_held: int
    to_upstream: int
    to_client: int
    ended: tuple[Counted, ...]
    turned_away: tuple[Counted, ...]
    connects: tuple[Bucket, ...]


@dataclass(frozen=True, slots=True)
class SessionView:
    """One open session, or flow of UDP; `id` is what `cut` takes. `endpoint` is the address it is
    connected to, empty while it waits or is held; `age` is null where the kernel has no times.
    """

    id: str
    route: str
    client: str
    endpoint: str
    age: float | None
    to_upstream: int
    to_client: int
    plane: str
    state: str  # held, waiting, open, leaving


@dataclass(frozen=True, slots=True)
class SessionList:
    """Open sessions, the oldest first; `total` includes those that are not listed."""

    sessions: tuple[SessionView, ...]
    total: int
