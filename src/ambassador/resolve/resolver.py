"""The resolver: what is known of each name, asked for again by its TTL and on doubt."""

from __future__ import annotations

import asyncio
import contextlib
import math
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from ambassador import log
from ambassador.core.shares import shares
from ambassador.errors import NoSuchNameError, ResolveError, in_words
from ambassador.ports import NameFeed
from ambassador.resolve.answer import Answer, family, is_literal
from ambassador.resolve.dns import NameServers
from ambassador.resolve.hosts import HostsFile
from ambassador.resolve.repeat import Repeat, Repeater
from ambassador.resolve.turns import Turns
from ambassador.tasks import Sliced, spawn

__all__ = ["NameResolver"]

_PATIENCE = 1.0  # seconds to wait for a new answer before the last good one is used
_AT_MOST_EVERY = 0.2  # seconds between two questions for one name, however often it is doubted
_RETRY = 1.0  # seconds after a failed question
_RETRY_LONGEST = 30.0
_SPREAD = 0.25  # share of its time by which a name is asked for earlier, to spread names
_RETRY_GONE = 1.0  # the same where the name server in charge says that there is no such name
_GRID = 0.25  # seconds
_FIRST = 5.0  # seconds to wait for the first report of a feed
# Seconds for which an answer is used after its time, where it is asked for again at little cost:
# that is done when its time is over, and clients do not wait for it.
_BEYOND = 0.25

_Changed = Callable[[Sequence[str]], None]


@dataclass(slots=True)
class _Name:
    host: str
    addresses: tuple[str, ...] = ()
    answered_at: float = 0.0
    asked_at: float = -_AT_MOST_EVERY
    expires: float = 0.0
    failure: str = ""
    doubted: bool = False
    retry: float = _RETRY
    question: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    watchers: list[_Changed] = field(default_factory=list)
    repeat: Repeat | None = None  # how to repeat the last question at little cost
    asked_in_full: float = 0.0
    ttl: float = 0.0  # of the last answer
    gone: bool = False  # it is known that it does not exist
    unfollow: Callable[[], None] | None = None  # of a name that a feed follows
    first: asyncio.Event | None = None  # of such a name: set at the first report of the feed


class NameResolver:
    """Implements ports.Resolver over /etc/hosts, DNS and the system; `feed_of` returns the feed of
    a name with a scheme (`docker://redis:6379`).
    """

    def __init__(
        self,
        hosts: HostsFile | None = None,
        name_servers: NameServers | None = None,
        feed_of: Callable[[str], NameFeed] | None = None,
    ) -> None:
        self._feed_of = feed_of
        self._hosts = hosts or HostsFile()
        self._name_servers = name_servers or NameServers()
        self._names: dict[str, _Name] = {}
        self._turns = Turns(most=shares(resource.getrlimit(resource.RLIMIT_NOFILE)[0]).questions)
        self._repeater = Repeater()
        self._due = Sliced(self._ask_again, "ask again for names")

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the addresses of `host`; see ports.Resolver."""
        if is_literal(host):
            return (host,)
        if "://" in host:
            return await self._resolve_fed(self._fed(host))
        name = self._name(host)
        now = asyncio.get_running_loop().time()
        if name.addresses and now < name.expires:
            return name.addresses
        question = self._ask(name, urgent=True)
        if name.addresses and name.failure and not name.doubted:
            return name.addresses  # clients do not wait for name servers that do not answer
        await asyncio.wait({question}, timeout=_PATIENCE if name.addresses else None)
        return _addresses(name)

    async def _resolve_fed(self, name: _Name) -> Sequence[str]:
        if name.first is not None and not name.first.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(name.first.wait(), _FIRST)
        return _addresses(name)

    def wanted(self, host: str) -> float:
        """Note that a client waits for `host`; see ports.Resolver."""
        if "://" not in host or self._feed_of is None:
            return 0.0
        return self._feed_of(host).wanted(host)

    def known(self, host: str) -> Sequence[str]:
        """Return the addresses of `host` that are fresh; see ports.Resolver."""
        name = self._names.get(host)
        if name is None:
            return (host,) if is_literal(host) else ()
        return name.addresses if time.monotonic() < name.expires else ()

    def doubt(self, host: str) -> None:
        """Ask again at the next `resolve`; see ports.Resolver."""
        name = self._names.get(host)
        if name is not None and name.unfollow is not None:
            if self._feed_of is not None:
                self._feed_of(host).doubt(host)
        elif name is not None:
            name.expires = 0.0
            name.doubted = True
            if name.watchers:
                self._ask(name)

    def watch(self, host: str, changed: _Changed) -> Callable[[], None]:
        """Keep `host` resolved; see ports.Resolver."""
        if is_literal(host):
            return lambda: None
        is_fed = "://" in host
        name = self._fed(host) if is_fed else self._name(host)
        name.watchers.append(changed)
        if not is_fed:
            self._ask(name)

        def unwatch() -> None:
            if changed in name.watchers:
                name.watchers.remove(changed)
            if not name.watchers and name.unfollow is not None:
                name.unfollow()
                self._names.pop(host, None)
            if not name.watchers and name.timer is not None:
                name.timer.cancel()
                name.timer = None

        return unwatch

    def close(self) -> None:
        """Ask no more."""
        for name in self._names.values():
            if name.unfollow is not None:
                name.unfollow()
            name.watchers.clear()
            if name.timer is not None:
                name.timer.cancel()
            if name.question is not None:
                name.question.cancel()
        self._due.clear()
        self._repeater.close()

    def _fed(self, host: str) -> _Name:
        """Return the name `host`, which its feed follows from now on."""
        name = self._names.get(host)
        if name is not None:
            return name
        if self._feed_of is None:
            raise ResolveError(f"{host}: this ambassador cannot follow such names")
        name = self._names[host] = _Name(host, first=asyncio.Event())

        def told(addresses: Sequence[str], failure: str, known: bool) -> None:
            old, name.addresses = name.addresses, tuple(addresses)
            name.failure, name.gone = failure, known and not addresses
            name.expires = math.inf if addresses else 0.0
            if name.first is not None:
                name.first.set()
            if old != name.addresses:
                self._tell(name)

        try:
            name.unfollow = self._feed_of(host).follow(host, told)
        except BaseException:
            del self._names[host]
            raise
        return name

    def _name(self, host: str) -> _Name:
        return self._names.setdefault(host, _Name(host))

    def _ask(self, name: _Name, *, urgent: bool = False) -> asyncio.Task[None]:
        if name.question is None or name.question.done():
            name.question = spawn(self._question(name, urgent), f"resolve {name.host}")
        elif urgent:
            self._turns.hurry(name.host)
        return name.question

    async def _question(self, name: _Name, urgent: bool) -> None:
        loop = asyncio.get_running_loop()
        early = name.asked_at + _AT_MOST_EVERY - loop.time()
        if early > 0:
            await asyncio.sleep(early)
        name.asked_at = loop.time()
        name.asked_in_full = name.asked_at
        name.repeat = None
        try:
            answer = await self._hosts.ask(name.host) or await self._ask_dns(name, urgent)
        except NoSuchNameError as error:
            self._gone(name, str(error), loop.time())
        except ResolveError as error:
            self._failed(name, str(error), loop.time())
        except Exception as error:
            self._failed(name, f"{name.host}: {in_words(error)}", loop.time())
        else:
            self._answered(name, answer, loop.time())
        self._ask_later(name)

    async def _ask_dns(self, name: _Name, urgent: bool) -> Answer:
        await self._turns.begin(name.host, urgent=urgent)
        try:
            return await self._name_servers.ask(name.host)
        finally:
            self._turns.end()

    def _ask_later(self, name: _Name) -> None:
        """Ask for a name that is watched when its answer ends, or shortly before."""
        if not name.watchers:
            return
        if name.timer is not None:
            name.timer.cancel()
        loop = asyncio.get_running_loop()
        if name.repeat is None:
            share = (crc32(name.host.encode()) & 0xFFFF) / 0x10000  # always the same for a name
            early = (name.expires - loop.time()) * _SPREAD * share
            name.timer = loop.call_at(name.expires - early, self._ask, name)
        else:
            # At the same moments for all names, so that their answers are read together.
            when = (name.expires - _BEYOND) // _GRID * _GRID
            name.timer = loop.call_at(when, self._due.add, (name, name.repeat))

    def _ask_again(self, it: tuple[_Name, Repeat]) -> None:
        """Repeat the question where it may be repeated; ask in full when its answer differs."""
        name, repeat = it
        if name.repeat is not repeat or not name.watchers:  # by now
            return

        def told(same: bool) -> None:
            if same and name.repeat is repeat:
                name.answered_at = loop.time()
                name.expires = name.answered_at + name.ttl + _BEYOND
                self._ask_later(name)
            elif name.repeat is repeat:
                self._ask(name)

        loop = asyncio.get_running_loop()
        if name.doubted or not self._may_repeat(name):
            self._ask(name)
        else:
            self._repeater.ask(repeat, told)

    def _may_repeat(self, name: _Name) -> bool:
        if not self._hosts.knows_not(name.host):
            return False
        age = asyncio.get_running_loop().time() - name.asked_in_full
        return self._name_servers.repeatable(age)

    def _gone(self, name: _Name, failure: str, now: float) -> None:
        """Its last addresses belong to others now, or soon: no client may be led there."""
        old, name.addresses = name.addresses, ()
        if old:
            log.event(
                log.WARNING,
                "name_gone",
                f"{failure}; {', '.join(old)} is not used any longer",
                name=name.host,
                reason=failure,
                before=list(old),
            )
            name.retry = _RETRY
        else:
            self._say_failed(name, failure, now)
        name.failure, name.gone = failure, True
        name.doubted = False
        name.expires = now + name.retry
        name.retry = min(name.retry * 2, _RETRY_GONE)
        if old:
            self._tell(name)

    def _failed(self, name: _Name, failure: str, now: float) -> None:
        self._say_failed(name, failure, now)
        name.failure = failure
        name.doubted = False
        name.expires = now + name.retry
        name.retry = min(name.retry * 2, _RETRY_LONGEST)

    @staticmethod
    def _say_failed(name: _Name, failure: str, now: float) -> None:
        if not name.failure:
            kept = ", ".join(name.addresses)
            rest = f"; going on with {kept}, {now - name.answered_at:.0f} s old" if kept else ""
            log.event(
                log.WARNING,
                "name_unresolved",
                f"{failure}{rest}",
                name=name.host,
                reason=failure,
                kept=list(name.addresses),
            )

    def _answered(self, name: _Name, answer: Answer, now: float) -> None:
        # A family without an answer keeps its last good addresses, and is asked for again soon.
        kept = [one for one in name.addresses if family(one) in answer.unanswered]
        if kept:
            soon = min(answer.ttl, name.retry)
            answer = Answer.of((*answer.addresses, *kept), soon)
        old, name.addresses = name.addresses, answer.addresses
        if name.failure or (old and set(old) != set(answer.addresses)):
            now_at = ", ".join(answer.addresses)
            was = f" (was {', '.join(old)})" if old and old != answer.addresses else ""
            log.event(
                log.INFO,
                "name_resolved",
                f"{name.host} is at {now_at}{was}",
                name=name.host,
                addresses=list(answer.addresses),
                before=list(old),
            )
        name.failure, name.gone = "", False
        name.doubted = False
        name.retry = min(name.retry * 2, _RETRY_LONGEST) if kept else _RETRY
        name.answered_at = now
        name.ttl, name.repeat = answer.ttl, answer.repeat
        name.expires = now + answer.ttl + (_BEYOND if answer.repeat else 0.0)
        if set(old) != set(answer.addresses):
            self._tell(name)

    @staticmethod
    def _tell(name: _Name) -> None:
        for changed in tuple(name.watchers):
            changed(name.addresses)


def _addresses(name: _Name) -> Sequence[str]:
    if not name.addresses:
        failure = name.failure or f"{name.host} is not known yet"
        raise (NoSuchNameError if name.gone else ResolveError)(failure)
    return name.addresses
