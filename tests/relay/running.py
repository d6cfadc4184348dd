"""A relay on a loop of its own, in a thread, so that tests can speak to it with plain sockets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, Step
from ambassador.model import Address, Endpoint, Inet, Pick, Proto, Route, Unix
from ambassador.planes.relay.plane import RelayPlane
from ambassador.ports import RouteStatus
from tests.names import StaticResolver

__all__ = ["LoopFactory", "RunningRelay", "endpoint", "route"]

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
_T = TypeVar("_T")
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
    ) -> None:
        self.resolver = resolver or StaticResolver()
        self.plane: RelayPlane
        self.loop: asyncio.AbstractEventLoop
        self._options = {"buffer": buffer, "backlog": backlog}
        self._factory = loop_factory
        self._errors: list[dict[str, Any]] = []
        self._left: set[str] = set()
        self._descriptors = descriptors()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="relay", daemon=True)
        self._thread.start()
        assert self._ready.wait(_WITHIN), "the relay does not start"
        if self._failure:
            raise self._failure

    def _work(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._factory) as runner:
                runner.run(self._main())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(lambda _, context: self._errors.append(context))
        self._stop = asyncio.Event()
        self.plane = RelayPlane(self.resolver, **self._options)
        self._ready.set()
        await self._stop.wait()
        self.plane.close()
        for _ in range(100):  # transports close in the loop's next turns
            await asyncio.sleep(0)
        me = asyncio.current_task()
        self._left = {task.get_name() for task in asyncio.all_tasks() if task is not me}

    def await_(self, coroutine: Coroutine[Any, Any, _T], within: float = _WITHIN) -> _T:
        """Run `coroutine` on the relay's loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(within)

    def call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Call `function` on the relay's loop and return what it returns."""

        async def calling() -> _T:
            return function(*arguments)

        return self.await_(calling())

    def apply(self, *steps: Step) -> None:
        self.await_(self.plane.apply(steps))

    def add(self, *routes: Route) -> None:
        self.apply(*map(AddRoute, routes))

    def change(self, old: Route, new: Route) -> None:
        self.apply(ChangeRoute(old, new))

    def remove(self, *routes: Route) -> None:
        self.apply(*map(RemoveRoute, routes))

    def drain(self, grace: float) -> int:
        return self.await_(self.plane.drain(grace), grace + _WITHIN)

    def status(self, name: str = "demo") -> RouteStatus:
        found = {status.route.name: status for status in self.call(self.plane.status)}
        return found[name]

    def tasks(self) -> set[str]:
        """The names of the tasks that run, without the relay's own."""

        async def names() -> set[str]:
            me = asyncio.current_task()
            return {task.get_name() for task in asyncio.all_tasks() if task is not me}

        return {name for name in self.await_(names()) if not name.startswith("Task-")}

    def close(self) -> None:
        """End the relay. Fails when it leaves a task or an error behind."""
        if not self._thread.is_alive():
            return
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_WITHIN)
        assert not self._thread.is_alive(), "the relay does not end"
        if self._failure:
            raise self._failure
        assert not self._left, f"tasks left: {self._left}"
        assert not self._errors, f"errors of the loop: {self._errors}"


def descriptors() -> int:
    """Count the descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))
