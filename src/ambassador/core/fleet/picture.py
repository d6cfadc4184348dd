"""What the watched keys of a fleet mean, all together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ambassador.core.fleet.allow import Allowed
from ambassador.core.fleet.keys import Keys, Place
from ambassador.core.fleet.records import (
    Announced,
    Trial,
    Word,
    parse_announced,
    parse_route,
    parse_trial,
    parse_word,
)
from ambassador.errors import ConfigError, Problem
from ambassador.model import Endpoint, Route

Record = Route | Word | Trial | Announced

__all__ = ["NOTHING", "Picture", "Seen", "Service", "Value", "kept", "picture"]


@dataclass(frozen=True, slots=True)
class Value:
    """The text at a key: since which revision, and under which lease (0: under none)."""

    text: str
    revision: int
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A word or a trial, and the revision it was written at, which is its identity."""

    revision: int
    word: Word | Trial


@dataclass(frozen=True, slots=True)
class Service:
    """All values about one service. `announced` is in the order of the keys."""

    name: str
    word: Seen | None = None
    trial: Seen | None = None
    announced: tuple[Announced, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """What all keys together mean; `problems` are keys that were left out, and why. `read` has what
    was last understood at each key, and at which revision it was written.
    """

    routes: tuple[Route, ...] = ()
    services: Mapping[str, Service] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    read: Mapping[str, tuple[int, Record]] = field(default_factory=dict, repr=False)

    def service(self, name: str) -> Service:
        """Return all values about the service `name`; there may be none."""
        return self.services.get(name) or Service(name)


NOTHING = Picture()


def picture(
    keys: Keys,
    values: Mapping[str, Value],
    allowed: Allowed,
    before: Picture = NOTHING,
    *,
    routes: bool,
) -> Picture:
    """Return what `values`, by their keys, mean. With `routes`, whole routes are taken, too. A key
    that makes no sense, or is not allowed, only becomes a problem: what it said `before` stays in
    force as long as the key exists.
    """
    found = list[Route]()
    words, trials = dict[str, Seen](), dict[str, Seen]()
    announced: dict[str, list[Announced]] = {}
    problems = list[Problem]()
    read: dict[str, tuple[int, Record]] = {}
    for key in sorted(values):
        value, place = values[key], keys.place(key)
        if place is None:
            problems.append(_stranger(key))
            continue
        if place.kind == "route" and not routes:
            continue
        if wrong := allowed.name(place.name, key):
            if place.kind == "route":  # a service that no route here uses does not concern us
                problems += wrong
            continue
        known = before.read.get(key)
        if known is None or known[0] != value.revision:
            try:
                known = value.revision, _parsed(keys, key, value.text, place, allowed)
            except ConfigError as error:
                problems += error.problems
        if known is None:
            continue
        read[key] = known
        revision, one = known
        match one:
            case Route():
                found.append(one)
            case Word():
                words[place.name] = Seen(revision, one)
            case Trial():
                trials[place.name] = Seen(revision, one)
            case Announced():
                announced.setdefault(place.name, []).append(one)
    services = {
        name: Service(name, words.get(name), trials.get(name), tuple(announced.get(name, ())))
        for name in (words | trials | announced)
    }
    return Picture(tuple(found), services, tuple(problems), read)


def kept(before: Mapping[str, Value], now: Mapping[str, Value], *, anew: bool) -> bool:
    """Return whether to keep what was known `before`, although etcd now says `now`: that is so
    where everything that people have written is gone at once. A single key may well be deleted as
    the last one. Two in one moment, or any key when all was read `anew`, rather mean that the store
    was emptied, restored or replaced by another. Keys under a lease do not count: they come and go.
    """
    lost = sum(not one.lease for one in before.values())
    left = any(not one.lease for one in now.values())
    return not left and lost >= (1 if anew else 2)


def _parsed(keys: Keys, key: str, text: str, place: Place, allowed: Allowed) -> Record:
    match place.kind:
        case "route":
            one: Record = parse_route(keys, place.name, text)
        case "word":
            one = parse_word(key, text)
        case "trial":
            one = parse_trial(key, text)
        case _:
            one = parse_announced(key, text)
    if wrong := allowed.endpoints(_endpoints(one), key):
        raise ConfigError(*wrong)
    return one


def _endpoints(one: Record) -> tuple[Endpoint, ...]:
    return (one.endpoint,) if isinstance(one, Announced) else one.endpoints


def _stranger(key: str) -> Problem:
    expected = "routes/NAME, services/NAME/word or services/NAME/announced/ID"
    return Problem(key, "is not a key of a fleet", "", expected)
