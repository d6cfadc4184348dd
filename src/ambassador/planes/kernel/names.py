"""Watches the names of the endpoints of the kernel's routes: a new address changes the ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from ambassador.errors import ResolveError
from ambassador.planes.kernel.route import KernelRoute
from ambassador.ports import Resolver
from ambassador.spec import is_ip
from ambassador.tasks import spawn

__all__ = ["Names"]

# Seconds for which the first transaction of a route waits for names that are not resolved yet.
_PATIENCE = 0.3


class Names:
    """Calls `changed` with each route whose endpoints have other addresses than before."""

    def __init__(self, resolver: Resolver, changed: Callable[[KernelRoute], None]) -> None:
        self._resolver = resolver
        self._changed = changed

    async def follow(self, routes: Iterable[KernelRoute]) -> None:
        """Watch the names of endpoints of `routes` until `KernelRoute.stop_watching`, and wait a
        moment for addresses that are not known yet.
        """
        asked = set()
        for kernel_route in routes:
            if kernel_route.refusal or kernel_route.unwatch:
                continue
            for host in kernel_route.hosts:
                if is_ip(host):
                    continue
                changed = partial(self._learn, kernel_route, host)
                kernel_route.unwatch.append(self._resolver.watch(host, changed))
                asked.add(spawn(self._ask(kernel_route, host), f"addresses of {host}"))
        if asked:
            await asyncio.wait(asked, timeout=_PATIENCE)

    async def _ask(self, kernel_route: KernelRoute, host: str) -> None:
        try:
            self._learn(kernel_route, host, await self._resolver.resolve(host))
        except ResolveError:
            return  # the watch calls when there is an answer

    def _learn(self, kernel_route: KernelRoute, host: str, addresses: Sequence[str]) -> None:
        if kernel_route.known.get(host) != tuple(addresses):
            kernel_route.learn(host, addresses)
            self._changed(kernel_route)
