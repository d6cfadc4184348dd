"""An endpoint that is in etcd under a lease, only while it is healthy."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from math import ceil

from ambassador import log
from ambassador.core.fleet.keys import Keys, after
from ambassador.core.fleet.records import Announced, parse_announced, written
from ambassador.core.health import Verdict
from ambassador.core.health import after as judged
from ambassador.errors import AmbassadorError, ConfigError, ConflictError, Problem, in_a_line
from ambassador.fleet.etcd import Etcd
from ambassador.fleet.faults import NoLeaseError
from ambassador.fleet.requests import put
from ambassador.fleet.watching import pause
from ambassador.model import Endpoint, Health
from ambassador.spec import format_endpoint

__all__ = ["Announcer"]

_RISE, _FALL = 1, 2  # good and bad answers in a row; a failing endpoint is withdrawn quickly
_FAREWELL = 2.0  # seconds

# Returns why the endpoint does not work; empty: it works.
Look = Callable[[], Awaitable[str]]


class Announcer:
    """Announces `endpoint` as `name`; `look` is called every `interval` seconds. The lease is for
    `ttl` seconds: the endpoint of an announcer that has crashed is withdrawn after at most that
    time.
    """

    def __init__(
        self,
        etcd: Etcd,
        keys: Keys,
        name: str,
        endpoint: Endpoint,
        *,
        who: str,
        look: Look,
        ttl: float = 10.0,
        interval: float = 1.0,
    ) -> None:
        self.problem = ""  # why it is not in etcd; empty: it is
        self._etcd = etcd
        self._keys = keys
        self._name = name
        self._endpoint = endpoint
        self._who = who
        self._look = look
        self._ttl = max(1, ceil(ttl))
        self._interval = interval
        self._lease = 0
        self._there = False

    async def run(self) -> None:
        """Announce, until cancelled. Raises ConfigError at the first attempt, ConflictError where
        endpoints of another protocol have the name.
        """
        loop = asyncio.get_running_loop()
        verdict, failures, due, first = Verdict(), 0, 0.0, True
        while True:
            why = await self._look()
            verdict = judged(verdict, not why, _RISE, _FALL)
            wanted = verdict.health is Health.HEALTHY
            try:
                if first:
                    await self._alone(0)
                if wanted and not self._there:
                    await self._put()
                    due = loop.time() + self._ttl / 3
                elif self._there and verdict.health is Health.UNHEALTHY:
                    await self._withdraw(why)
                elif self._lease and loop.time() >= due:
                    await self._etcd.renew(self._lease)
                    due = loop.time() + self._ttl / 3
                elif not wanted:
                    self._say(why or "it has not answered yet")
                if self._there:
                    self._say("")
                failures, first = 0, False
            except NoLeaseError:
                self._lease, self._there = 0, False
                what = "its lease ended before it was renewed; a new one is taken"
                self._tell(log.WARNING, "lease_lost", what)
                continue
            except ConflictError:
                raise
            except AmbassadorError as error:
                if first and isinstance(error, ConfigError):
                    raise
                failures += 1
                self._say(f"its lease cannot be kept: {in_a_line(error)}")
                await asyncio.sleep(pause(failures))
                continue
            await asyncio.sleep(min(self._interval, self._ttl / 3) * random.uniform(0.9, 1.1))

    async def leave(self) -> None:
        """Withdraw the endpoint."""
        if self._lease:
            with contextlib.suppress(AmbassadorError, TimeoutError):
                async with asyncio.timeout(_FAREWELL):
                    await self._withdraw("stopped")

    async def _put(self) -> None:
        if not self._lease:
            self._lease, granted = await self._etcd.grant(self._ttl)
            self._ttl = max(self._ttl, granted)
        key = self._keys.announced(self._name, self._who)
        mine = written(Announced(self._endpoint, self._who))
        _, revision = await self._etcd.change((), [put(key, mine, self._lease)], key)
        try:
            await self._alone(revision)
        except ConflictError:
            await self._withdraw("another protocol has the name")
            raise
        self._there = True
        self._tell(log.INFO, "announced", f"announced, for {self._ttl} s at a time")

    async def _alone(self, revision: int) -> None:
        """Raise ConflictError where an endpoint of another protocol had the name before ours, which
        is there since `revision` (0: not yet).
        """
        beginning = self._keys.announced(self._name)
        found = await self._etcd.get(beginning, after(beginning))
        for key, value in found.values.items():
            try:
                there = parse_announced(key, value.text)
            except ConfigError:
                continue
            proto = there.endpoint.proto
            if proto is not self._endpoint.proto and (not revision or value.revision < revision):
                url = format_endpoint(there.endpoint)
                what = f"{self._name} is announced as {proto} already: {url}, by {there.who}"
                expected = f"another name for what speaks {self._endpoint.proto}"
                mine = format_endpoint(self._endpoint)
                example = f"ambassador announce {self._name}-{self._endpoint.proto} {mine}"
                raise ConflictError(Problem("announce", what, mine, expected, example))

    async def _withdraw(self, why: str) -> None:
        lease, self._lease, self._there = self._lease, 0, False
        await self._etcd.revoke(lease)
        self._tell(log.WARNING if why != "stopped" else log.INFO, "withdrawn", f"withdrawn: {why}")
        self.problem = why

    def _say(self, problem: str) -> None:
        if problem and problem != self.problem:
            self._tell(log.WARNING, "not_announced", f"is not announced: {problem}")
        elif self.problem and not problem and self._there:
            self._tell(log.INFO, "announced", "is announced")
        self.problem = problem

    def _tell(self, level: int, event: str, what: str) -> None:
        where = format_endpoint(self._endpoint)
        log.event(level, event, f"{self._name}  {where} {what}", service=self._name, endpoint=where)
