"""Follows the primary of a set that Patroni manages: `core.follow.patroni` decides."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ambassador.core.follow.claims import Finding, Place
from ambassador.core.follow.memory import Memory
from ambassador.core.follow.patroni import Fact, look
from ambassador.errors import ResolveError
from ambassador.follow.asking import Asker, Asking
from ambassador.follow.base import Report, allowed, terms
from ambassador.follow.channel import Silence
from ambassador.follow.claimants import ClaimantsFollower
from ambassador.follow.patroni import Member, RestAsker, RestWord, members
from ambassador.follow.postgres import AliveAsker, PostgresAsker
from ambassador.model import Inet, Route
from ambassador.ports import Resolver
from ambassador.spec import format_address

__all__ = ["PatroniFollower"]

_MAP = 5.0  # seconds between two questions for the set; each makes Patroni ask etcd once
_LIMIT = 2.0  # seconds for that
_HASTE = 0.05  # seconds between two questions while the Patroni of the member in use is silent


class PatroniFollower(ClaimantsFollower):
    """Leads `route`; see base.Follower. Raises Silence where TLS cannot be used."""

    def __init__(
        self, route: Route, resolver: Resolver, report: Report, memory: Memory | None
    ) -> None:
        assert route.follow is not None
        self._terms = terms(route.user, route.password_file, route.health_tls)
        super().__init__(route, resolver, report, memory)
        self._patronis = list(route.follow.members)
        self._set: dict[str, Member] = _recalled(memory)
        self._where: dict[str, Place] = {}  # the PostgreSQL of each member, by its name
        self._names: dict[Place, str] = {}  # the name of the member that each Patroni manages
        self._looked = 0.0
        self._unmapped, self._excluded = "", ""
        self._rest = Asking(self._rest_asker, self._news.set, self._pause)
        self._postgres = Asking(self._postgres_asker, self._news.set, self._pause)

    def close(self) -> None:
        """Stop following."""
        super().close()
        self._rest.close()
        self._postgres.close()

    @property
    def asked(self) -> tuple[int, int]:
        """How many Patronis answer, and how many there are."""
        return self._rest.asked

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, and what helps."""
        found = [
            f"{what} {format_address(Inet(*place))}: {word}"
            for what, asking in (("Patroni", self._rest), ("PostgreSQL", self._postgres))
            for place, word in asking.words.items()
            if word
        ]
        answering, number = self.asked
        if number and not answering:
            found.append("no Patroni answers: no switch is made")
        words = [word for word in self._rest.facts.values() if word is not None]
        scopes = sorted({word.scope for word in words})
        if len(scopes) > 1:
            found.append(f"the Patronis are of different sets: {', '.join(scopes)}")
        for word in words:
            place = self._where.get(word.name)
            if word.lock and place is not None and self._postgres.gone(place, self._route.fall):
                found.append(
                    f"{word.name} holds the lock, and its PostgreSQL does not answer at "
                    f"{format_address(Inet(*place))}; if that cannot be reached from here, have "
                    "Patroni announce an address that can: postgresql.connect_address"
                )
        known = set(self._names.values())
        found += [
            f"{one.name} leads the set, and its Patroni is not asked: write it beside the others"
            for one in self._set.values()
            if one.leader and known and one.name not in known and answering == number
        ]
        return (*found, *filter(None, (self._unmapped, self._excluded)), *super().problems)

    # The addresses of the members.

    async def _look_where(self) -> bool:
        wanted, whole = await self._places(self._patronis)
        self._rest.among(wanted, whole=whole)
        words = self._rest.facts.items()
        self._names |= {place: word.name for place, word in words if word and word.name}
        unknown = set(self._names.values()) - self._set.keys() or not self._set
        if unknown or time.monotonic() - self._looked > _MAP:
            await self._look_at_the_set()
        for one in self._set.values():
            await self._locate(one)
        for place in self._rest.facts.keys() - self._names.keys():
            await self._name(place)
        self._postgres.among(set(self._where.values()))
        return bool(self._where)

    async def _look_at_the_set(self) -> None:
        """Ask one Patroni after the other for the members of the set, until one answers."""
        answering = [place for place, word in self._rest.facts.items() if word is not None]
        for place in answering:
            try:
                found = await members(place, self._terms, _LIMIT)
            except Silence as silence:
                self._unmapped = "" if self._set else f"the members are not known: {silence}"
                continue
            self._set = {one.name: one for one in found}
            self._where = {name: at for name, at in self._where.items() if name in self._set}
            self._looked, self._unmapped = time.monotonic(), ""
            return

    async def _locate(self, member: Member) -> None:
        address = member.postgres
        try:
            hosts = await self._resolver.resolve(address.host)
        except ResolveError as error:
            self._unmapped = (
                f"{member.name} announces {format_address(address)}, which has no address here: "
                f"{error}; postgresql.connect_address of Patroni sets it"
            )
            return
        known = self._where.get(member.name)
        place = known if known in {(host, address.port) for host in hosts} else None
        place = place or (hosts[0], address.port)
        if await allowed(self._route, place, self._resolver):
            self._where[member.name] = place
            if self._excluded.startswith(f"{member.name} "):
                self._excluded = ""
            return
        self._where.pop(member.name, None)
        if member.leader:
            where = format_address(Inet(*place))
            self._excluded = f"{member.name} leads the set at {where}, no endpoint of the route"

    async def _name(self, place: Place) -> None:
        """Find out which member the Patroni at `place` manages, where its answer has no name."""
        for one in self._set.values():
            if one.rest is not None and one.rest.port == place[1]:
                with contextlib.suppress(ResolveError):
                    if place[0] in await self._resolver.resolve(one.rest.host):
                        self._names[place] = one.name

    def _rest_asker(self, place: Place, _hung_up: Callable[[], None]) -> Asker:
        return RestAsker(place, self._terms)

    def _postgres_asker(self, place: Place, hung_up: Callable[[], None]) -> Asker:
        kind = PostgresAsker if self._route.user else AliveAsker
        return kind(place, self._terms, hung_up)

    # The facts, and what they mean.

    def _facts(self) -> dict[Place, Fact]:
        found = {}
        for rest, name in self._names.items():
            if (place := self._where.get(name)) is not None:
                found[place] = self._fact(place, self._rest.facts.get(rest))
        return found

    def _fact(self, place: Place, word: RestWord | None) -> Fact:
        """Return what is known of the member whose PostgreSQL is at `place`."""
        lock = None if word is None else word.lock
        said: Any = self._postgres.facts.get(place)
        if said is not None and self._route.user:
            return Fact(lock, said.primary, said.system, said.timeline)
        if self._postgres.gone(place, self._route.fall) or (said is None and word is None):
            return Fact(lock, None)
        if word is not None and (said is not None or self._postgres.words.get(place)):
            return Fact(lock, word.primary, word.system, word.timeline)  # no login: Patroni's word
        if said is not None and place == self.state.place:  # it listens; nothing more is known
            system, _, timeline = self.state.mark.rpartition("/")
            return Fact(None, True, system, int(timeline or 0))
        return Fact(lock, None)

    def _look(self) -> Finding | None:
        place = self.state.place
        gone = place is not None and self._postgres.gone(place, self._route.fall)
        return look(self.state, self._facts(), gone=gone)

    def _pause(self) -> float:
        place = self.state.place
        mine = next(
            (at for at, name in self._names.items() if self._where.get(name) == place), None
        )
        silent = mine is not None and self._rest.facts.get(mine) is None
        return _HASTE if silent else super()._pause()

    def _kept(self) -> Mapping[str, object]:
        return {"set": [_plain(one) for one in self._set.values()]}


def _plain(member: Member) -> Sequence[object]:
    rest = member.rest
    where = (member.postgres.host, member.postgres.port)
    return (member.name, *where, *((rest.host, rest.port) if rest else ()))


def _recalled(memory: Memory | None) -> dict[str, Member]:
    """Return the remembered set, for a start while etcd cannot be asked."""
    found: dict[str, Member] = {}
    if memory is not None:
        with contextlib.suppress(ValueError, LookupError, TypeError):
            for name, host, port, *rest in json.loads(memory.data)["set"]:
                where = Inet(str(rest[0]), int(rest[1])) if rest else None
                found[str(name)] = Member(str(name), Inet(str(host), int(port)), where, False)
    return found
