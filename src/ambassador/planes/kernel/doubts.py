"""Endpoints the relay could not reach: the kernel leads nobody there for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ambassador.model import Endpoint
from ambassador.planes.kernel.registry import Registry
from ambassador.planes.kernel.route import KernelRoute

__all__ = ["Doubts"]

# Seconds after the last failure the relay told of until the kernel tries an endpoint again.
_DOUBT = 5.0


class Doubts:
    """Calls `changed` with each route of `routes` that has one endpoint more or less to lead to."""

    def __init__(self, routes: Registry, changed: Callable[[KernelRoute], None]) -> None:
        self._routes = routes
        self._changed = changed
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def noticed(self, name: str, endpoint: Endpoint, address: str, reachable: bool) -> None:
        """Hear from the relay whether it could reach `endpoint` of the route `name`, at
        `address` or (empty) at any of its addresses.
        """
        kernel_route = self._routes.named(name)
        if kernel_route is None or kernel_route.refusal:
            return
        if endpoint not in kernel_route.route.endpoints:
            return
        which = (endpoint, address)
        if reachable:
            if kernel_route.out.pop(which, None) is not None:
                kernel_route.forgive = True
                self._changed(kernel_route)
            return
        if which not in kernel_route.out:
            self._changed(kernel_route)
        moment = asyncio.get_running_loop().time() + _DOUBT
        kernel_route.out[which] = moment
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_at(moment, self._end)

    def close(self) -> None:
        """Let every endpoint be as it is."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        """Let the kernel try endpoints again that the relay has not spoken of for a while."""
        self._timer = None
        loop = asyncio.get_running_loop()
        later: list[float] = []
        for kernel_route in self._routes.all:
            for which, until in list(kernel_route.out.items()):
                if until <= loop.time():
                    del kernel_route.out[which]
                    self._changed(kernel_route)
                else:
                    later.append(until)
        if later and not self._closed:
            self._timer = loop.call_at(min(later), self._end)
