"""`srv://_redis._tcp.example.com`: records are asked for by their TTL, their targets followed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ambassador import log
from ambassador.core.located import at
from ambassador.core.srv import Record, groups, shares
from ambassador.errors import NoSuchNameError, ResolveError, in_words
from ambassador.ports import Resolver
from ambassador.resolve.dns import CONTAINER_TTL, prepare, ttl_of
from ambassador.resolve.question import Resolvers
from ambassador.tasks import spawn

__all__ = ["SrvFeed"]

_SHORTEST, _LONGEST = 1.0, 30.0
_LIFETIME = 4.0  # seconds for a question
_CONNECT = 1.0  # seconds to find out whether an address answers
_BACK = 2.0  # seconds between two checks whether records of a lower priority number are back

_Told = Callable[[Sequence[str], str, bool], None]


@dataclass(slots=True, eq=False)
class _Name:
    host: str
    told: list[_Told] = field(default_factory=list)
    records: tuple[tuple[Record, ...], ...] = ()
    targets: dict[str, Callable[[], None]] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    doubted: asyncio.Event = field(default_factory=asyncio.Event)
    place: int = 0  # index of the priority in use
    addresses: tuple[str, ...] = ()
    failure: str = ""
    gone: bool = False


class SrvFeed:
    """Implements ports.NameFeed over DNS; `resolver` has the addresses of targets."""

    def __init__(self, resolver: Resolver, path: Path = Path("/etc/resolv.conf")) -> None:
        self._resolver = resolver
        self._path = path
        self._names: dict[str, _Name] = {}

    def follow(self, host: str, told: _Told) -> Callable[[], None]:
        """Report where `host` leads from now on; see ports.NameFeed."""
        name = self._names.get(host)
        if name is None:
            name = self._names[host] = _Name(host)
            name.tasks = [
                spawn(self._ask_on(name), f"records of {host}"),
                spawn(self._doubt_on(name), f"priorities of {host}"),
            ]
        elif name.addresses or name.failure:
            told(name.addresses, name.failure, name.gone)
        name.told.append(told)

        def forget() -> None:
            if told in name.told:
                name.told.remove(told)
            if not name.told:
                self._names.pop(host, None)
                self._end(name)

        return forget

    def wanted(self, host: str) -> float:
        """Do nothing where a client waits for `host`: nothing can be started."""
        return 0.0

    def doubt(self, host: str) -> None:
        """Check whether the records in use answer; see ports.NameFeed."""
        if (name := self._names.get(host)) is not None:
            name.doubted.set()

    def close(self) -> None:
        """Report nothing any more."""
        for name in self._names.values():
            self._end(name)
        self._names.clear()

    @staticmethod
    def _end(name: _Name) -> None:
        for task in name.tasks:
            task.cancel()
        for unwatch in name.targets.values():
            unwatch()
        name.targets.clear()

    async def _ask_on(self, name: _Name) -> None:
        pause = _SHORTEST
        while True:
            try:
                records, ttl = await self._ask(name.host.removeprefix("srv://"))
            except NoSuchNameError as error:
                name.records, ttl = (), _SHORTEST
                self._tell(name, (), str(error), gone=True)
            except ResolveError as error:  # the last answer stays in use
                ttl, pause = pause, min(_LONGEST, pause * 2)
                if not name.failure:
                    log.event(log.WARNING, "name_unresolved", str(error), name=name.host)
                self._tell(name, name.addresses, str(error), gone=False)
            else:
                pause = _SHORTEST
                if records != name.records:
                    name.place = 0
                name.records = records
                self._watch(name)
                self._look(name)
            await asyncio.sleep(ttl)

    async def _ask(self, text: str) -> tuple[tuple[tuple[Record, ...], ...], float]:
        await asyncio.to_thread(prepare)
        import dns.exception  # noqa: PLC0415 (see resolve.dns)
        import dns.resolver  # noqa: PLC0415

        try:
            resolver = Resolvers.read(self._path).plain
            answer = await resolver.resolve(text, "SRV", search=False, lifetime=_LIFETIME)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            raise NoSuchNameError(f"srv://{text}: there is no such record") from None
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise ResolveError(f"srv://{text}: {in_words(error)}") from None
        found = [
            Record(one.priority, one.weight, one.port, one.target.to_text().rstrip(".") or ".")
            for one in answer
        ]
        if not (known := groups(found)):
            raise NoSuchNameError(f"srv://{text}: its record says that there is no such service")
        ttl = min(ttl_of(answer), _LONGEST)
        return known, max(ttl, _SHORTEST if ttl > CONTAINER_TTL else ttl)

    def _watch(self, name: _Name) -> None:
        wanted = {one.target for group in name.records for one in group}
        for target in name.targets.keys() - wanted:
            name.targets.pop(target)()
        for target in wanted - name.targets.keys():
            name.targets[target] = self._resolver.watch(target, lambda _: self._look(name))

    def _look(self, name: _Name) -> None:
        """Report where the priority in use leads; where its targets have no address, use the next
        one.
        """
        known = {target: self._resolver.known(target) for target in name.targets}
        for place in (*range(name.place, len(name.records)), *range(name.place)):
            if addresses := shares(name.records[place], known):
                self._tell(name, addresses, "", gone=False)
                return
        if name.records and all(self._resolver.known(target) == () for target in name.targets):
            targets = ", ".join(name.targets)
            if not name.addresses:
                self._tell(name, (), f"{name.host}: {targets} has no address yet", gone=False)

    async def _doubt_on(self, name: _Name) -> None:
        """Use the next priority while no address of those before it answers."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(name.doubted.wait(), _BACK if name.place else None)
            name.doubted.clear()
            if len(name.records) < 2:
                continue
            known = {target: self._resolver.known(target) for target in name.targets}
            place = name.place
            for number, group in enumerate(name.records):
                if await _any_answers(shares(group, known)):
                    place = number
                    break
            if place != name.place:
                priority = name.records[place][0].priority
                text = f"{name.host}: those of priority {priority} are used now"
                log.event(log.WARNING, "srv_priority", text, name=name.host, priority=priority)
                name.place = place
                self._look(name)

    @staticmethod
    def _tell(name: _Name, addresses: Sequence[str], failure: str, *, gone: bool) -> None:
        name.addresses, name.failure, name.gone = tuple(addresses), failure, gone
        for told in tuple(name.told):
            told(name.addresses, failure, gone)


async def _any_answers(addresses: Sequence[str]) -> bool:
    """Tell whether one of `addresses` accepts a connection."""
    for one in dict.fromkeys(addresses):
        try:
            async with asyncio.timeout(_CONNECT):
                _, writer = await asyncio.open_connection(*at(one, 0))
        except (OSError, TimeoutError):
            continue
        writer.close()
        return True
    return False
