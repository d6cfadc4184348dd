"""Where one ambassador leads a service. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2s
from math import ceil

from ambassador.core.fleet.picture import Service
from ambassador.core.fleet.records import Kind, Trial, Word
from ambassador.model import Endpoint, Existing, Hold, Proto, Route

__all__ = ["MOST_HELD", "Destination", "canaries", "destination", "is_canary", "mark", "put"]

MOST_HELD = 100_000  # clients of one route; file descriptors run out before that
_TRIED = 60.0  # seconds a client waits for a move that is tried; its lease is shorter


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a service is to lead: to `endpoints`; where `own`, to the endpoints that the route
    itself has, if any. `revision` is that of the word or trial (0: there is neither). With `asked`
    the new endpoints have to answer a probe first. With `tried` the service stays where it is, and
    new sessions wait for the word. `why` says where this comes from, for people. Somebody waits
    `within` so many seconds for reports of it (0: nobody waits).
    """

    endpoints: tuple[Endpoint, ...] = ()
    own: bool = False
    revision: int = 0
    asked: bool = False
    tried: bool = False
    existing: Existing | None = None
    why: str = ""
    who: str = ""
    within: float = 0.0


def mark(who: str) -> str:
    """Return the mark of the ambassador `who`, by which trials choose: spread evenly, and always
    the same for one name.
    """
    return blake2s(who.encode(), digest_size=8).hexdigest()


def canaries(names: Sequence[str], percent: float) -> tuple[str, tuple[str, ...]]:
    """Return the mark up to which a trial for `percent` of `names` goes, and the ambassadors that
    this means: at least one. The choice depends only on `names`.
    """
    known = sorted(names, key=mark)
    count = min(len(known), max(1, ceil(len(known) * percent / 100)))
    return mark(known[count - 1]), tuple(known[:count])


def is_canary(who: str, up_to: str) -> bool:
    """Return whether a trial up to the mark `up_to` is for `who`."""
    return mark(who) <= up_to


def destination(service: Service, who: str, proto: Proto = Proto.TCP) -> Destination:
    """Return where the ambassador `who` is to lead `service`."""
    here = _by_word(service, proto)
    seen = service.trial
    if seen is None or not isinstance(trial := seen.word, Trial):
        return here
    if trial.kind == Kind.CANARY and is_canary(who, trial.up_to):
        there = _leads(service, trial.endpoints, proto)
        return replace(
            there,
            revision=seen.revision,
            asked=True,
            existing=trial.existing,
            why=f"tried here first for {trial.who or 'a move'}",
            who=trial.who,
            within=trial.within,
        )
    if trial.kind == Kind.HOLD:
        there = _leads(service, trial.endpoints, proto)
        return replace(
            there,
            revision=seen.revision,
            asked=True,
            tried=True,
            why=f"held for a move by {trial.who or 'an operator'}",
            who=trial.who,
            within=trial.within,
        )
    return here


def _by_word(service: Service, proto: Proto) -> Destination:
    if service.word is None or not isinstance(word := service.word.word, Word):
        return _leads(service, (), proto)
    there = _leads(service, word.endpoints, proto)
    return replace(
        there,
        revision=service.word.revision,
        asked=bool(there.endpoints),
        existing=word.existing,
        why=f"the word of {word.who}" if word.endpoints and word.who else there.why,
        who=word.who,
        within=word.within,
    )


def _leads(service: Service, endpoints: tuple[Endpoint, ...], proto: Proto) -> Destination:
    """Return where the service leads when `endpoints` are the word."""
    if endpoints:
        return Destination(_carried(endpoints, proto), why="the word in etcd")
    announced = {one.endpoint.address: one.endpoint for one in service.announced}
    if found := _carried(tuple(announced.values()), proto):
        return Destination(found, why=f"{len(found)} announced")
    return Destination(own=True, why=f"nothing is announced as {service.name}")


def _carried(endpoints: tuple[Endpoint, ...], proto: Proto) -> tuple[Endpoint, ...]:
    return tuple(endpoint for endpoint in endpoints if endpoint.proto is proto)


def put(route: Route, endpoints: tuple[Endpoint, ...] | None, *, waits: bool) -> Route:
    """Return `route`, as it is written, with the `endpoints` of its service (None: its own). Where
    it `waits` for a move, new clients are held for at most a minute; where it has no endpoints, as
    long as for an upstream.
    """
    found = route.endpoints if endpoints is None else endpoints
    hold = route.hold
    if waits:
        hold = Hold(_TRIED, MOST_HELD)
    elif not found:
        hold = Hold(route.connect, MOST_HELD)
    return replace(route, endpoints=found, members=route.endpoints, placed=True, hold=hold)
