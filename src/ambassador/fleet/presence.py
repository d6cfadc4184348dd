"""The reports of an ambassador to its fleet, under a lease of its own: they end with it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

from ambassador import log
from ambassador.core.fleet.keys import Keys
from ambassador.core.fleet.records import Applied, written
from ambassador.errors import AmbassadorError, in_a_line
from ambassador.fleet.etcd import Etcd
from ambassador.fleet.faults import NoLeaseError
from ambassador.fleet.requests import delete, put
from ambassador.fleet.watching import pause

__all__ = ["TTL", "Presence"]

TTL = 60  # seconds
_AT_ONCE = 100  # operations of one transaction; etcd's --max-txn-ops is 128
# Longest time between two attempts, in seconds: an overloaded etcd gets a rest from thousands of
# ambassadors, and the lease still lasts that long.
_LONGEST = 10.0
# For an answer: etcd still performs a request that was given up, and it would be sent again.
_PATIENCE = 15.0
_FAREWELL = 1.0  # seconds
_UNASKED = 2.0  # seconds within which a report is sent that nobody waits for


class Presence:
    """Keeps the reports of `who`; `state` is called when `problem` has changed."""

    def __init__(
        self, etcd: Etcd, keys: Keys, who: str, state: Callable[[], None] = lambda: None
    ) -> None:
        self.problem = ""
        self._etcd = etcd
        self._keys = keys
        self._who = who
        self._state = state
        self._reports: dict[str, Applied] = {}
        self._unsaid: dict[
            str, float
        ] = {}  # services whose report was not sent yet: when it is due
        self._more = asyncio.Event()
        self._lease = 0

    @property
    def told(self) -> bool:
        """Whether all reports are in etcd."""
        return bool(self._lease) and not self._unsaid

    def report(self, service: str, applied: Applied | None, within: float = 0.0) -> None:
        """Report what has been applied of `service`; None: it is no longer followed. The report is
        sent at a random moment in the second half of `within` seconds: so thousands do not report
        at once, nor while others are still being told. 0: nobody is known to wait for it.
        """
        seconds = within or _UNASKED
        if applied is None:
            if self._reports.pop(service, None) is None:
                return
        elif self._reports.get(service) == applied:
            return
        else:
            if service not in self._reports:
                seconds = 0.0  # at once: a mover counts the ambassadors that have reported
            self._reports[service] = applied
        due = asyncio.get_running_loop().time() + random.uniform(seconds / 2, seconds)
        self._unsaid[service] = min(due, self._unsaid.get(service, due))
        self._more.set()

    async def run(self) -> None:
        """Keep the lease and the reports, until cancelled. The lease comes first: where etcd is
        slow, it would end before all reports are sent, and all would have to be sent again.
        """
        failures, loop, due = 0, asyncio.get_running_loop(), 0.0
        while True:
            try:
                now = loop.time()
                if not self._lease:
                    self._lease, _ = await self._etcd.grant(TTL, _PATIENCE)
                    due = loop.time() + _next()
                    self._unsaid |= dict.fromkeys(self._reports, now)
                elif now >= due:
                    await self._etcd.renew(self._lease, _PATIENCE)
                    due = loop.time() + _next()
                elif ready := [service for service, at in self._unsaid.items() if at <= now]:
                    await self._say(ready[:_AT_ONCE])
                else:
                    await self._woken(min((due, *self._unsaid.values())) - now)
                    continue
                failures = 0
                self._tell("")
            except NoLeaseError:
                self._lease = 0
            except AmbassadorError as error:
                failures += 1
                self._tell(in_a_line(error))
                await asyncio.sleep(pause(failures, longest=_LONGEST))

    async def leave(self) -> None:
        """Delete all reports."""
        lease, self._lease = self._lease, 0
        if lease:
            with contextlib.suppress(AmbassadorError, TimeoutError):
                async with asyncio.timeout(_FAREWELL):
                    await self._etcd.revoke(lease)

    async def _woken(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._more.wait()
                self._more.clear()

    async def _say(self, services: list[str]) -> None:
        said = {service: self._reports.get(service) for service in services}
        changes = [
            delete(self._keys.applied(service, self._who))
            if applied is None
            else put(self._keys.applied(service, self._who), written(applied), self._lease)
            for service, applied in said.items()
        ]
        key = self._keys.applied(services[0], self._who)
        await self._etcd.change((), changes, key, _PATIENCE)
        for service, applied in said.items():
            if self._reports.get(service) == applied:
                self._unsaid.pop(service, None)

    def _tell(self, problem: str) -> None:
        if problem == self.problem:
            return
        if problem:
            what = f"the fleet cannot be told what was applied here: {problem}"
            log.event(log.WARNING, "fleet_untold", what, error=problem)
        self.problem = problem
        self._state()


def _next() -> float:
    """Return when to renew the lease next: after about half of it, spread over the fleet."""
    return TTL / 2 * random.uniform(0.8, 1.2)
