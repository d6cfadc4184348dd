"""A relay on a loop of its own, in a thread, so that tests can speak to it with plain sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step
from ambassador.model import Address, Endpoint, Inet, Pick, Proto, Route, Unix
from ambassador.planes.relay.plane import RelayPlane
from ambassador.ports import RouteStatus, SessionsSummed
from ambassador.telemetry import debug_log
from ambassador.tls.keyring import Keyring
from tests.loops import LoopThread
from tests.names import StaticResolver
from tests.wait import until

__all__ = ["LoopFactory", "RunningRelay", "endpoint", "route"]

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
_WITHIN = 30.0


def endpoint(where: int | str, proto: Proto = Proto.TCP, **options: Any) -> Endpoint:
    """Return an endpoint at a port of 127.0.0.1, at `host:port`, or at a path."""
    if isinstance(where, int):
        return Endpoint(Inet("127.0.0.1", where), proto, **options)
    if where.startswith("/"):
        return Endpoint(Unix(where), proto, **options)
    host, _, port = where.rpartition(":")
    return Endpoint(Inet(host.strip("[]"), int(port)), proto, **options)


def route(
    listen: int | str | Address,
    *endpoints: int | str | Endpoint,
    proto: Proto = Proto.TCP,
    **options: Any,
) -> Route:
    """Return a route that listens at a port of all addresses, at `host:port`, or at a path."""
    if isinstance(listen, str):
        address = endpoint(listen, proto).address
    else:
        address = Inet("", listen) if isinstance(listen, int) else listen
    return Route(
        name=options.pop("name", "demo"),
        listen=address,
        endpoints=tuple(
            one if isinstance(one, Endpoint) else endpoint(one, proto) for one in endpoints
        ),
        proto=proto,
        pick=Pick(options.pop("pick", Pick.ROUNDROBIN)),
        **options,
    )


class RunningRelay:
    """Starts a RelayPlane; `close` ends it and proves that nothing is left."""

    def __init__(
        self,
        loop_factory: LoopFactory,
        resolver: StaticResolver | None = None,
        buffer: int = 262144,
        backlog: int = 4096,
        memory: int = 64 << 20,
        workers: int = 0,
        eager: bool = True,
        summed: SessionsSummed | None = None,
        each: bool = True,
        keyring: Keyring | None = None,
    ) -> None:
        self.resolver = resolver or StaticResolver()
        self._looping = LoopThread(factory=loop_factory)
        self.call = self._looping.call
        self.do = self._looping.do
        self.plane = self.call(
            lambda: RelayPlane(
                self.resolver,
                buffer=buffer,
                backlog=backlog,
                memory=memory,
                closed=debug_log.tell,
                workers=workers,
                eager=eager,
                summed=None if each else summed,
                keyring=keyring,
            )
        )
        if eager:
            self.call(self.plane.offload.start, workers)
        until(lambda: all(worker.is_ready for worker in self.plane.offload.workers))
        self._ended = self._closed = False

    def apply(self, *steps: Step) -> None:
        self.do(self.plane.apply(steps))

    def add(self, *routes: Route) -> None:
        self.apply(*map(AddRoute, routes))

    def change(self, old: Route, new: Route) -> None:
        self.apply(ChangeRoute(old, new))

    def remove(self, *routes: Route) -> None:
        self.apply(*map(RemoveRoute, routes))

    def drain(self, grace: float) -> int:
        return self.do(self.plane.drain(grace), grace + _WITHIN)

    def status(self, name: str = "demo") -> RouteStatus:
        self.do(self.plane.measure())
        found = {status.route.name: status for status in self.call(self.plane.status)}
        return found[name]

    def tasks(self) -> set[str]:
        """The names of the tasks that run, without the relay's own."""

        async def names() -> set[str]:
            me = asyncio.current_task()
            return {task.get_name() for task in asyncio.all_tasks() if task is not me}

        return {name for name in self.do(names()) if not name.startswith("Task-")}

    def end(self) -> None:
        """Close the plane, once."""
        if not self._ended:
            self._ended = True
            self.call(self.plane.close)

    def close(self) -> None:
        """End the relay. Fails when it leaves a task or an error behind."""
        self.end()
        if not self._closed:
            self._closed = True
            self._looping.close()


def descriptors() -> int:
    """Count the descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))
