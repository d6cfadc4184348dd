"""Ambassadors without routes to install, as many as are wanted in one process: the real source,
which watches etcd, verifies, and reports; only that the routes they lead are not there.

`python -m bench.fleet.watchers ETCD-URL NUMBER`: says when all watch, then of each word when the
first and the last had applied it; ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import sys
import time

import uvloop

from ambassador.core.fleet.allow import ANY
from ambassador.core.fleet.keys import Keys
from ambassador.core.fleet.picture import Value, picture
from ambassador.fleet.access import Access
from ambassador.fleet.connection import AwayError, Url
from ambassador.fleet.etcd import Etcd
from ambassador.fleet.following import Following
from ambassador.fleet.presence import Presence
from ambassador.fleet.watching import Watching
from ambassador.garbage import seldom
from ambassador.model import Inet, Route
from ambassador.probes.verifier import ConnectVerifier
from ambassador.resolve.resolver import NameResolver
from ambassador.tasks import spawn

__all__ = ["SERVICE", "main"]

SERVICE = "bench"
_ROUTE = Route("bench", Inet("", 6379), (), service=SERVICE)
_KEYS = Keys("/ambassador")
_BEGINNING = 4  # as many begin at the same time: an etcd has other things to do


class _Watcher:
    """One ambassador, as far as the fleet knows."""

    def __init__(self, etcd: Etcd, who: str, verifier: ConnectVerifier) -> None:
        self._routes = [_ROUTE]
        self.applied = 0.0  # when it was led elsewhere last, by the monotonic clock
        self.watching = Watching(etcd, _KEYS, self._told)
        self._presence = Presence(etcd, _KEYS, who)
        self.following = Following(
            who,
            "bench",
            routes=lambda: self._routes,
            verifier=verifier,
            place=self._place,
            report=self._presence.report,
        )

    async def begin(self) -> None:
        while not self.watching.read:
            with contextlib.suppress(AwayError):  # while thousands come, it may have no turn
                await self.watching.start()
        self._take(self.watching.values)
        self._routes = [self.following.placed(_ROUTE)]
        self.following.begin()
        for work, name in ((self.watching.run(), "watch"), (self._presence.run(), "report")):
            spawn(work, name)
        while not self._presence.told:  # noqa: ASYNC110 (nobody else waits)
            await asyncio.sleep(0.02)

    def _take(self, values: dict[str, Value]) -> None:
        self.following.picture = picture(_KEYS, values, ANY, self.following.picture, routes=False)

    async def _told(self, values: object) -> None:
        self._take(dict(values))  # type: ignore[call-overload]
        self.following.look()

    async def _place(self, *_what: object) -> None:
        self._routes = [self.following.placed(_ROUTE)]
        self.applied = time.monotonic()


def _say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def _watch(url: str, number: int) -> None:
    host, _, port = url.removeprefix("http://").rpartition(":")
    access = Access((Url(host, int(port), False),))
    verifier = ConnectVerifier(NameResolver())
    before = _memory()
    watchers = [_Watcher(Etcd(access), f"w-{os.getpid()}-{n}", verifier) for n in range(number)]
    turns = asyncio.Semaphore(_BEGINNING)

    async def begin(one: _Watcher) -> None:
        async with turns:
            await one.begin()

    await asyncio.gather(*map(begin, watchers))
    seldom()
    _say(watching=number)
    loop, asked = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    while await asked.readline():
        times = sorted(one.applied for one in watchers)
        used = resource.getrusage(resource.RUSAGE_SELF)
        _say(
            times=[times[0], times[len(times) // 2], times[-1]],
            cpu=used.ru_utime + used.ru_stime,
            memory=(_memory() - before) / number,
        )


def _memory() -> int:
    """Return how many bytes of memory this process has."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 (also in a hurry)
        return int(file.read().split()[1]) * resource.getpagesize()


def main() -> None:
    """Watch."""
    logging.getLogger("ambassador").setLevel(logging.CRITICAL)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_watch(sys.argv[1], int(sys.argv[2])))


if __name__ == "__main__":
    main()
