"""Changes of ways that no caller waits for: a name has other addresses, a doubt begins or ends, or
nft has failed before.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.planes.kernel.installer import Installer
from ambassador.planes.kernel.life import Event
from ambassador.planes.kernel.registry import Registry
from ambassador.planes.kernel.retries import Retries
from ambassador.planes.kernel.route import KernelRoute
from ambassador.planes.kernel.steps import announce
from ambassador.planes.kernel.stops import STOPPED
from ambassador.planes.kernel.table import Table
from ambassador.tasks import spawn

__all__ = ["Changes"]


class Changes:
    """Has routes installed anew, one transaction at a time, with `lock` held. A transaction that
    nft refuses is tried again; `judge` returns why the relay has to carry a route.
    """

    def __init__(
        self,
        routes: Registry,
        table: Table,
        installer: Installer,
        lock: asyncio.Lock,
        judge: Callable[[KernelRoute], str],
    ) -> None:
        self._routes = routes
        self._table = table
        self._installer = installer
        self._lock = lock
        self._judge = judge
        self._retries = Retries(self._try_again)
        self._changed: set[KernelRoute] = set()
        self._working: asyncio.Task[None] | None = None
        self._closed = False
        self._lifting: asyncio.TimerHandle | None = None
        self._stops = 0  # transactions that stopped flows
        installer.flows_stopped = self._lift_later

    def change(self, kernel_route: KernelRoute) -> None:
        """Have the ways of `kernel_route` installed anew, soon."""
        if self._closed:
            return
        self._changed.add(kernel_route)
        self._begin()

    def failed(self, routes: Collection[KernelRoute]) -> None:
        """Have `routes` tried again after a pause, and the table restored where its state is not
        known.
        """
        if routes or self._table.unsure:
            self._retries.failed(routes)

    async def reinstall(self) -> None:
        """Install everything again; the caller holds the lock. Raises PlaneError; then it is tried
        again.
        """
        try:
            if not await self._installer.reinstall(self._routes.all):
                self.failed(self._routes.all)
            for kernel_route in self._routes.all:
                kernel_route.happened(Event.TOLD)
            self._table.lead()
        except PlaneError as error:
            self._left_standing(self._routes.all, str(error))
            raise

    def close(self) -> None:
        """Install nothing any longer."""
        self._closed = True
        self._changed.clear()
        self._retries.close()
        if self._lifting is not None:
            self._lifting.cancel()

    def _lift_later(self) -> None:
        """Remove the rules that stop open flows, when the time of the last such flow is over."""
        self._stops += 1
        if self._lifting is not None:
            self._lifting.cancel()
        loop, number = asyncio.get_running_loop(), self._stops
        self._lifting = loop.call_later(
            STOPPED, lambda: spawn(self._lift(number), "flows that were stopped")
        )

    async def _lift(self, number: int) -> None:
        async with self._lock:
            if self._closed or number != self._stops:  # more flows were stopped meanwhile
                return
            # Where they cannot be removed, they stop nothing; they only cost a look-up.
            with contextlib.suppress(PlaneError):
                await self._installer.lift()

    def _begin(self) -> None:
        if self._working is None or self._working.done():
            self._working = spawn(self._work(), "kernel routes")

    async def _work(self) -> None:
        while True:
            async with self._lock:
                changed, self._changed = self._changed, set()
                await self._settle([one for one in changed if one in self._routes])
            if not self._changed:
                return

    async def _settle(self, routes: Sequence[KernelRoute]) -> None:
        try:
            await self._table.make_sure()
            taken = await self._installer.settle(routes)
            if not any(one.standing for one in self._routes.all):
                self._table.lead()
        except PlaneError as error:
            self._left_standing(routes, str(error))
            return
        if taken:
            self._retries.succeeded()
        else:
            self.failed(routes)
        for kernel_route in routes:
            announce(kernel_route)

    def _left_standing(self, routes: Sequence[KernelRoute], reason: str) -> None:
        """Note and log that the rules of `routes` are not as they should be; try again later."""
        news = [one.route.name for one in routes if one.standing != reason]
        for kernel_route in routes:
            kernel_route.standing = reason
        self._table.give_way(reason)
        self.failed(routes)
        if news:
            log.event(
                log.ERROR,
                "rules_left",
                f"{', '.join(news[:3])}{', ...' if len(news) > 3 else ''}  the rules are not as "
                f"they should be: {reason}",
                routes=len(news),
                reason=reason,
            )

    def _try_again(self, routes: Iterable[KernelRoute]) -> None:
        for kernel_route in routes:
            if kernel_route in self._routes:
                kernel_route.refusal = self._judge(kernel_route)
                self._changed.add(kernel_route)
        self._begin()
