"""The feeds of endpoints with a scheme of their own: engines and SRV records, each imported with
the first route that needs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ambassador.app.handed import WOKEN, part
from ambassador.control.reconciler import Reconciler
from ambassador.core.phase import Phase
from ambassador.errors import ConfigError, ResolveError
from ambassador.model import Endpoint, Inet, Route
from ambassador.ports import NameFeed, Source
from ambassador.resolve.resolver import NameResolver
from ambassador.settings import Settings
from ambassador.spec.container import is_container
from ambassador.tasks import spawn

if TYPE_CHECKING:
    from ambassador.core.containers.views import ContainerView, EngineView
    from ambassador.engine.feed import EngineFeed
    from ambassador.engine.labels import LabelsSource
    from ambassador.engine.place import Where
    from ambassador.engine.woken import Woken

__all__ = ["Feeds"]

_FIRST = 5.0  # seconds to wait for the first answer of an engine whose labels make routes
_STARTING = 0.05  # seconds between two checks whether the start is over
_PROBE = 1.0  # seconds for one look at a container that was woken


class Feeds:
    """Feeds of names, and the `resolver` that asks them; label sources among `sources` read from
    the same feeds. `handed`: what a predecessor handed over (see `handed`).
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        sources: Sequence[Source] = (),
        handed: bytes | None = None,
    ) -> None:
        self._labels: Sequence[LabelsSource] = ()
        if settings.docker_labels:
            from ambassador.engine.labels import LabelsSource  # noqa: PLC0415 (see `engine`)

            self._labels = [one for one in sources if isinstance(one, LabelsSource)]
        self._reloading: asyncio.Task[bool] | None = None
        self.resolver = NameResolver(feed_of=self.of)
        self._reconciler: Reconciler | None = None
        self._settings = settings
        self._environ = environ
        self._handed = handed
        self._woken: Woken | None = None
        self._engines: dict[Where, EngineFeed] = {}
        self._schemes: dict[str, EngineFeed] = {}
        self._srv: NameFeed | None = None

    async def serve(self, reconciler: Reconciler) -> None:
        """Serve the routes of `reconciler`, which is about to start: labels are read, if their
        engine answers soon, and change routes whenever they change.
        """
        self._reconciler = reconciler
        for labels in self._labels:
            feed = self.engine("docker")
            labels.attach(feed)
            feed.follower.start()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(feed.follower.first.wait(), _FIRST)
            feed.seen = labels.watch(self._reload)

    def _reload(self) -> None:
        """Have the routes of labels taken over; once more where a reload is under way."""
        before = self._reloading

        async def reload() -> bool:
            if before is not None:
                await asyncio.wait({before})
            assert self._reconciler is not None
            while self._reconciler.phase is Phase.STARTING:  # noqa: ASYNC110 (for a moment)
                await asyncio.sleep(_STARTING)
            return await self._reconciler.reload(by_operator=False)

        self._reloading = spawn(reload(), "take over labels")

    def of(self, host: str) -> NameFeed:
        """Return the feed that follows `host`. Raises ResolveError."""
        scheme = host.partition("://")[0]
        if is_container(host):
            return self.engine(scheme)
        if scheme != "srv":
            raise ResolveError(f"{host}: this ambassador cannot follow such names")
        if self._srv is None:
            from ambassador.resolve.srv import SrvFeed  # noqa: PLC0415 (only with such a name)

            self._srv = SrvFeed(self.resolver)
        return self._srv

    def engine(self, scheme: str) -> EngineFeed:
        """Return the feed of the engine for endpoints with `scheme`. Raises ResolveError."""
        if scheme in self._schemes:
            return self._schemes[scheme]
        from ambassador.engine.feed import EngineFeed  # noqa: PLC0415 (only with such a name)
        from ambassador.engine.place import engine_of  # noqa: PLC0415

        try:
            where = engine_of(scheme, self._settings.docker, self._environ)
        except ConfigError as error:
            raise ResolveError(str(error.problems[0])) from error
        if self._woken is None:
            from ambassador.engine.woken import Woken  # noqa: PLC0415

            self._woken = Woken(
                Path(self._settings.state) if self._settings.state else None, self.woken()
            )
        feed = self._engines.get(where)
        if feed is None:
            feed = self._engines[where] = EngineFeed(
                where,
                answers=self._answers,
                sessions=self._sessions,
                command=self._settings.wake_command,
                woken=self._woken,
            )
        self._schemes[scheme] = feed
        return feed

    def view(self, host: str) -> tuple[tuple[ContainerView, ...], str]:
        """Return the containers that `host` means, and why none of them can be used."""
        if not is_container(host):
            return (), ""
        feed = self._schemes.get(host.partition("://")[0])
        return feed.view(host) if feed is not None else ((), "")

    def views(self) -> tuple[EngineView, ...]:
        """Return what is known of each engine."""
        problems = tuple(problem for labels in self._labels for problem in labels.problems)
        mine = self._schemes.get("docker")
        return tuple(
            replace(feed.engine_view(), problems=problems if feed is mine else ())
            for feed in self._engines.values()
        )

    def woken(self) -> str:
        """Return which containers were woken, as text; empty where there were none."""
        if self._woken is not None:
            return self._woken.encode()
        return part(self._handed, WOKEN)

    def close(self) -> None:
        """Follow nothing any more, and ask for no name."""
        if self._reloading is not None:
            self._reloading.cancel()
        self.resolver.close()
        for feed in (*self._engines.values(), *([self._srv] if self._srv else [])):
            feed.close()

    def _with(self, host: str) -> list[tuple[Route, Endpoint]]:
        return [
            (route, endpoint)
            for route in (self._reconciler.routes if self._reconciler is not None else ())
            for endpoint in (*route.endpoints, *route.members)
            if isinstance(endpoint.address, Inet) and endpoint.address.host == host
        ]

    async def _answers(self, host: str, address: str, port: int) -> bool:
        """Tell whether the endpoint at `host` answers at an address: to the probe of its route, or
        else to a connection.
        """
        from ambassador.probes.exchange import NoAnswerError, ask  # noqa: PLC0415
        from ambassador.probes.table import probe_of  # noqa: PLC0415
        from ambassador.spec.health import http_of  # noqa: PLC0415

        found = self._with(host)
        probed = next((one for one in found if one[0].health), found[0] if found else None)
        endpoint = probed[1] if probed is not None else Endpoint(Inet(address, port))
        health = probed[0].health if probed is not None else ""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            probe = probe_of(health or "tcp", endpoint.proto)
            place = family, (address, http_of(health)[0] or port)
            await ask(probe, place, endpoint, _PROBE)
        except NoAnswerError:
            return False
        return True

    async def _sessions(self, host: str) -> int:
        """Return how many sessions are open, held or waiting at routes with that endpoint."""
        routes = tuple(dict.fromkeys(route for route, _ in self._with(host)))
        if self._reconciler is None or not routes:
            return 0
        await self._reconciler.measure()
        return sum(one.open + one.held for one in self._reconciler.status(routes))
