"""What the values in etcd say: JSON objects with a `schema`, in the grammar of routes. Pure.

Each value is read on its own and raises ConfigError whose `where` is its key; an error in one value
does not affect another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from ambassador.core.fleet.keys import Keys
from ambassador.core.fleet.reading import SCHEMA, Endpoints, Reader
from ambassador.errors import ConfigError, Problem
from ambassador.model import Endpoint, Existing, Proto, Route
from ambassador.spec import format_address, format_endpoint, shown
from ambassador.spec.address import length
from ambassador.spec.follow import followed_problems
from ambassador.spec.listening import Listening

__all__ = [
    "Announced",
    "Applied",
    "Entry",
    "Kind",
    "State",
    "Trial",
    "Word",
    "parse_announced",
    "parse_applied",
    "parse_entry",
    "parse_route",
    "parse_trial",
    "parse_word",
    "written",
]


class Kind:
    """What a trial asks of the ambassadors it is for."""

    CANARY = "canary"  # ambassadors with a mark up to `up_to` go there; the others stay
    HOLD = "hold"  # all ambassadors probe the new endpoints, and let new sessions wait


class State:
    """What one ambassador has done about a word or a trial."""

    APPLIED = "applied"  # new sessions go there
    HELD = "held"  # the new endpoints have answered, and new sessions wait
    REFUSED = "refused"  # it stays where it was; `why` says why


STATES = (State.APPLIED, State.HELD, State.REFUSED)


@dataclass(frozen=True, slots=True)
class Word:
    """Where a service leads: to `endpoints`; where there are none, to the announced endpoints; else
    to the endpoints of the routes themselves. The sessions of endpoints that leave because of it
    follow `existing` (None: the route's own policy). Where `within` is not 0, somebody waits so
    many seconds for reports of it.
    """

    endpoints: Endpoints = ()
    existing: Existing | None = None
    who: str = ""
    when: float = 0.0
    within: float = 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    """A move before it is the word for all: see `Kind`. `up_to` is a hexadecimal fraction (the
    digits after the point): the trial is for ambassadors whose mark is not above it.
    """

    endpoints: Endpoints
    kind: str
    up_to: str = ""
    existing: Existing | None = None
    who: str = ""
    within: float = 0.0


@dataclass(frozen=True, slots=True)
class Announced:
    """An endpoint that is announced as long as its key exists."""

    endpoint: Endpoint
    who: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one ambassador has done about the word or trial of `revision` (0: there is none), and
    where the service leads there now.
    """

    revision: int
    state: str
    endpoints: tuple[str, ...] = ()
    why: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history of a service. `what` is move, undo or abort; `of` is the number of
    the entry that an undo or an abort takes back, 0 for an abort before the word was written.
    """

    what: str
    endpoints: Endpoints
    before: Endpoints
    who: str = ""
    when: float = 0.0
    of: int = 0
    why: str = ""


def parse_word(key: str, text: str) -> Word:
    """Return the word at `key`. Raises ConfigError."""
    read = Reader(key, text, "word")
    endpoints = read.endpoints(empty=True)
    who, when, within = read.text("who"), read.time("when"), read.seconds("within")
    word = Word(endpoints, read.existing(), who, when, within)
    read.done()
    return word


def parse_trial(key: str, text: str) -> Trial:
    """Return the trial at `key`. Raises ConfigError."""
    read = Reader(key, text, "trial")
    kind = read.text("kind", (Kind.CANARY, Kind.HOLD))
    up_to, who = read.text("up_to"), read.text("who")
    existing, within = read.existing(), read.seconds("within")
    trial = Trial(read.endpoints(empty=True), kind, up_to, existing, who, within)
    if any(char not in "0123456789abcdef" for char in up_to):
        read.wrong("up_to", "is no hexadecimal number", up_to)
    read.done()
    return trial


def parse_announced(key: str, text: str) -> Announced:
    """Return what is announced at `key`. Raises ConfigError."""
    read = Reader(key, text, "announced")
    who, url = read.text("who"), read.text("endpoint")
    found = read.urls("endpoint", [url], None)
    read.done()
    return Announced(found[0], who)


def parse_applied(key: str, text: str) -> Applied:
    """Return what an ambassador has reported at `key`. Raises ConfigError."""
    read = Reader(key, text, "applied")
    revision, state = read.whole("revision"), read.text("state", STATES)
    applied = Applied(revision, state, read.texts(), read.text("why"), read.text("host"))
    read.done()
    return applied


def parse_entry(key: str, text: str) -> Entry:
    """Return the line of the history at `key`. Raises ConfigError."""
    read = Reader(key, text, "history")
    what = read.text("what", ("move", "undo", "abort"))
    endpoints, before = read.endpoints(empty=True), read.endpoints("before", empty=True)
    who, when, of, why = read.text("who"), read.time("when"), read.whole("of"), read.text("why")
    read.done()
    return Entry(what, endpoints, before, who, when, of, why)


def parse_route(keys: Keys, name: str, text: str) -> Route:
    """Return the route called `name`; its service has the same name. Raises ConfigError."""
    key = keys.route(name)
    read = Reader(key, text, "route")
    endpoints = read.endpoints(empty=True)
    said = read.text("proto", ("tcp", "udp"))
    proto = endpoints[0].proto if endpoints else Proto(said or "tcp")
    if said and said != proto:
        read.wrong("proto", "contradicts the endpoints", said)
    options = read.options(proto)
    read.done()
    at: Listening = options.pop("listen")
    alias = name.lower()
    origin = f"etcd {key}"
    route = Route(alias, at.listen, endpoints, proto, alias=alias, service=name, origin=origin)
    route = replace(route, **options, **at.options())
    if problems := [*_lengths(route, key), *followed_problems(route, key)]:
        raise ConfigError(*problems)
    return route


def written(record: Word | Trial | Announced | Applied | Entry, existing: str = "") -> str:
    """Return the text of a record; `existing` is the policy of a word or a trial as it is
    written.
    """
    found: dict[str, Any] = {"schema": SCHEMA}
    for field in record.__dataclass_fields__:
        value = getattr(record, field)
        if field == "existing":
            value = existing
        elif isinstance(value, Endpoint):
            value = format_endpoint(value)
        elif isinstance(value, tuple):
            value = [one if isinstance(one, str) else format_endpoint(one) for one in value]
        if value or field in ("endpoints", "revision"):
            found[field] = value
    return json.dumps(found, separators=(",", ":"))


def _lengths(route: Route, where: str) -> list[Problem]:
    """Check that the port ranges of all endpoints have the length of the listen range."""
    count = length(route.listen)
    return [
        Problem(
            where,
            f"{format_address(route.listen)} has {count} port{'' if count == 1 else 's'}, the "
            f"endpoint has {length(endpoint.address)}",
            shown(format_endpoint(endpoint)),
            "ranges of one length",
        )
        for endpoint in route.endpoints
        if length(endpoint.address) != count
    ]
