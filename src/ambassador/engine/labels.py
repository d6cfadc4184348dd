"""Routes from the labels of containers, as their engine lists them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from ambassador import log
from ambassador.core.containers.container import Container
from ambassador.core.containers.labels import labelled
from ambassador.core.names import named
from ambassador.engine.feed import EngineFeed
from ambassador.engine.once import list_once
from ambassador.engine.place import engine_of
from ambassador.errors import ConfigError, EngineError, Problem
from ambassador.model import Route, RouteKey, Snapshot

__all__ = ["LabelsSource"]

# Compose removes a container for a quarter of a second when it recreates it; it takes longer where
# an image is pulled meanwhile, or where a person does it.
_OUTLIVES = 30.0


class LabelsSource:
    """Implements ports.Source. After `attach` was called, it reads from the followed engine;
    before, it asks the engine each time.
    """

    name = "labels"
    guess = False

    def __init__(self, setting: str, environ: Mapping[str, str]) -> None:
        self._setting = setting
        self._environ = environ
        self._feed: EngineFeed | None = None
        self._said: tuple[str, ...] = ()
        self._routes: dict[RouteKey, Route] = {}
        self._gone: dict[RouteKey, float] = {}  # until when each route stays
        self._lock = threading.Lock()  # it is read in threads
        self._last: tuple[Route, ...] = ()
        self._timer: asyncio.TimerHandle | None = None

    def attach(self, feed: EngineFeed) -> None:
        """Read from `feed` from now on."""
        self._feed = feed

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with labels."""
        return self._said

    def read(self) -> Snapshot:
        """Return the routes; see ports.Source. No routes, and a note, where a followed engine has
        never answered.
        """
        if self._feed is None:
            made = labelled(self._list())
            return Snapshot(self.name, named(made.routes), made.problems, yields=True)
        follower = self._feed.follower
        if not follower.listed:
            note = f"labels make no routes yet: {follower.error or 'the engine has not answered'}"
            return Snapshot(self.name, (), (note,), yields=True)
        routes = self._last = self._made(follower.containers)
        return Snapshot(self.name, named(routes), self._said, yields=True)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Return a function to call when containers have changed: it calls `changed` when this
        changes routes. On the loop's thread.
        """
        loop = asyncio.get_running_loop()

        def look() -> None:
            if self._feed is None or not self._feed.follower.listed:
                return
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            routes = self._made(self._feed.follower.containers)
            if self._gone:
                due = max(0.0, min(self._gone.values()) - time.monotonic()) + 0.01
                self._timer = loop.call_later(due, look)
            if routes != self._last:
                self._last = routes
                changed()

        return look

    def _made(self, containers: Sequence[Container]) -> tuple[Route, ...]:
        """Return the routes of `containers`, and routes that went a short time ago."""
        with self._lock:
            made = labelled(containers)
            for problem in made.problems:
                if problem not in self._said:
                    log.event(log.WARNING, "label_wrong", problem)
            self._said = made.problems
            now = time.monotonic()
            new = {route.key: route for route in made.routes}
            for key in self._routes.keys() - new.keys():
                self._gone.setdefault(key, now + _OUTLIVES)
            self._gone = {k: at for k, at in self._gone.items() if k not in new and at > now}
            kept = {key: route for key, route in self._routes.items() if key in self._gone}
            self._routes = new | kept
            return tuple(self._routes.values())

    def _list(self) -> tuple[Container, ...]:
        try:
            return list_once(engine_of("docker", self._setting, self._environ))
        except EngineError as error:
            raise ConfigError(
                Problem(
                    "AMBASSADOR_DOCKER_LABELS",
                    f"labels cannot be read: {error}",
                    expected="an engine that answers",
                    example="AMBASSADOR_DOCKER=unix:///var/run/docker.sock",
                )
            ) from None
