"""The contents of a range in etcd, kept up to date: read once, then watched from there on.

A watch that ends begins again after the last revision that was seen, at any member, after a random
time: thousands whose member has failed do not return in one moment. Where the revisions in between
are gone (compaction), or where the store is another or an older one, all is read again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping

from ambassador import log
from ambassador.core.fleet.keys import Keys
from ambassador.core.fleet.picture import Value, kept
from ambassador.errors import AmbassadorError, in_a_line
from ambassador.fleet.etcd import Etcd
from ambassador.fleet.faults import CompactedError
from ambassador.fleet.requests import Batch

__all__ = ["Watching", "pause"]

SHORTEST, LONGEST = 0.05, 5.0  # seconds
_SILENT = 3.0  # seconds without etcd that are not logged
_GONE = (
    "everything in etcd is gone at once: what was there stays in force, until something is there "
    "again or `ambassador reload` says that it is meant"
)

Told = Callable[[Mapping[str, Value]], Awaitable[None]]


def pause(
    failures: int,
    chance: Callable[[float, float], float] = random.uniform,
    longest: float = LONGEST,
) -> float:
    """Return the seconds until the next attempt, after `failures` in a row: a random time up to a
    bound that doubles (full jitter; M. Brooker, "Exponential Backoff And Jitter").
    """
    return chance(SHORTEST, min(longest, 0.5 * 2 ** min(failures, 10)))


class Watching:
    """Watches the range that `keys` names; `told` is called with its contents each time they have
    changed, and `state` when what is wrong has changed: see `problem` and `since`.
    """

    def __init__(
        self, etcd: Etcd, keys: Keys, told: Told, state: Callable[[], None] = lambda: None
    ) -> None:
        self.values: dict[str, Value] = {}
        self.revision = 0
        self.problem = ""  # why etcd cannot be asked; empty: it can
        self.since = 0.0  # seconds since 1970
        self.read = 0.0  # when all was last known to be up to date
        self.held = ""  # why the old values are kept, though etcd says otherwise
        self.fresh = 0  # how often all was read
        self._etcd = etcd
        self._range = keys.watched
        self._told = told
        self._state = state
        self._there: Mapping[str, Value] = {}  # the contents of etcd, where other values are kept
        self._store = ""
        self._anew = True
        self._failures = 0
        self._began = 0.0
        self._logged = False

    async def start(self) -> None:
        """Read all at one revision. Raises AwayError and ConfigError."""
        found = await self._etcd.get(*self._range)
        self.revision, self._store, self._anew = found.revision, found.store, False
        self.fresh += 1
        self.read = time.time()
        self._take(found.values, anew=True)

    def remember(self, values: Mapping[str, Value]) -> None:
        """Begin with the values that an earlier process has saved."""
        self.values = dict(values)

    async def run(self) -> None:
        """Watch, until cancelled."""
        while True:
            try:
                if self._anew:
                    await self.start()
                    await self._told(self.values)
                async for batch in self._etcd.watch(*self._range, self.revision + 1):
                    await self._heard(batch)
            except CompactedError:
                self._anew = True
            except AmbassadorError as error:
                self._bad(error)
                await asyncio.sleep(pause(self._failures))
            except TimeoutError:
                self._bad(None)
                await asyncio.sleep(pause(self._failures))

    async def _heard(self, batch: Batch) -> None:
        if not batch.changes:
            other = self._store and batch.store and batch.store != self._store
            if other or batch.revision < self.revision:
                raise CompactedError("another store")
            self._good()
            return
        values = dict(self.values)
        for key, value in batch.changes.items():
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        self.revision, self.read = max(self.revision, batch.revision), time.time()
        self._take(values, anew=False)
        await self._told(self.values)

    def _take(self, values: Mapping[str, Value], *, anew: bool) -> None:
        held = kept(self.values, values, anew=anew) or (
            bool(self.held) and not any(not one.lease for one in values.values())
        )
        self._there = values if held else {}
        if held:
            stays = {key: one for key, one in self.values.items() if not one.lease}
            values = stays | {key: one for key, one in values.items() if one.lease}
        self.values = dict(values)
        if bool(self.held) is not held:
            self.held = _GONE if held else ""
            if held:
                log.event(log.ERROR, "etcd_emptied", _GONE)
            self._state()

    async def confirm(self) -> None:
        """Everything was deleted on purpose: drop the values that were kept."""
        if not self.held:
            return
        self.values, self._there, self.held = dict(self._there), {}, ""
        self._state()
        await self._told(self.values)

    def _good(self) -> None:
        self._failures, self.read = 0, time.time()
        if self.problem:
            if self._logged:
                log.event(log.INFO, "etcd_back", "etcd can be asked again, and all is up to date")
            self.problem, self.since, self._logged = "", 0.0, False
            self._state()

    def _bad(self, error: AmbassadorError | None) -> None:
        self._failures += 1
        text = "etcd cannot be asked: no answer in time" if error is None else in_a_line(error)
        now = time.monotonic()
        if not self.problem:
            self.since, self._began = time.time(), now
        if not self._logged and now - self._began >= _SILENT:
            self._logged = True
            what = f"everything stays as it was, since etcd cannot be asked: {text}"
            log.event(log.WARNING, "etcd_stale", what, error=text)
        changed, self.problem = self.problem != text, text
        if changed:
            self._state()
