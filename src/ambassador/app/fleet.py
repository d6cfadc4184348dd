"""The part of a fleet in one ambassador: what is in etcd is applied here, and reported there."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from ambassador import log
from ambassador.app.alone import Alone
from ambassador.control.reconciler import Reconciler
from ambassador.core.fleet.allow import ANY, Allowed
from ambassador.core.fleet.keys import Keys
from ambassador.core.fleet.picture import Picture, Value, picture
from ambassador.core.plan import RemoveRoute, Step
from ambassador.core.usable import usable
from ambassador.errors import (
    AmbassadorError,
    ConfigError,
    NotFoundError,
    Problem,
    SourceError,
    in_a_line,
)
from ambassador.fleet.access import Access
from ambassador.fleet.announcer import Announcer
from ambassador.fleet.connection import Url
from ambassador.fleet.etcd import Etcd
from ambassador.fleet.following import Following
from ambassador.fleet.memory import Memory
from ambassador.fleet.presence import Presence
from ambassador.fleet.source import NAME, FleetSource
from ambassador.fleet.watching import Watching
from ambassador.model import Route
from ambassador.ports import Reloadable, Resolver
from ambassador.probes.verifier import ConnectVerifier
from ambassador.settings import Settings
from ambassador.tasks import Coalesced, spawn

__all__ = ["PREFIX", "Fleet", "access", "identity", "keys_of"]

PREFIX = "/ambassador"
_SHOWN = 5  # keys that were left out, in one line


def access(settings: Settings) -> Access:
    """Return the addresses of etcd and the login for it, as the settings say. Raises
    ConfigError.
    """
    user = settings.etcd_user
    if user.startswith("@"):
        try:
            user = Path(user[1:]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as error:
            text = getattr(error, "strerror", None) or str(error)
            problem = Problem(
                "AMBASSADOR_ETCD_USER",
                f"cannot be read: {text.lower()}",
                user,
                "the name of a user, or @ and the path of a file with it",
                "AMBASSADOR_ETCD_USER=ambassador",
            )
            raise ConfigError(problem) from None
    members = tuple(Url(*member) for member in settings.etcd)
    return Access(
        members,
        settings.etcd_ca,
        settings.etcd_cert,
        settings.etcd_key,
        user,
        settings.etcd_password_file,
    )


def keys_of(settings: Settings) -> Keys:
    """Return where the keys of the fleet are."""
    return Keys(settings.fleet or PREFIX)


def identity() -> str:
    """Return the name of this process in the fleet: its host, and a part that no other has."""
    host = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()).strip(".-") or "host"
    return f"{host[:60]}-{secrets.token_hex(4)}"


class _Emptied:
    """Implements ports.Reloadable: a reload confirms that what is gone from etcd was removed on
    purpose.
    """

    name = NAME

    def __init__(self, watching: Watching) -> None:
        self._watching = watching

    def read(self) -> None:
        """Read nothing: all is known already; see ports.Reloadable."""

    def take_over(self) -> None:
        """Drop what was kept after it was gone from etcd; see ports.Reloadable."""
        if self._watching.held:
            spawn(self._watching.confirm(), "what is gone from etcd is meant")


class Fleet(Alone):
    """Follows the fleet of `settings`; `source` gets whole routes, where those are taken."""

    def __init__(
        self, settings: Settings, source: FleetSource | None, resolver: Resolver | None
    ) -> None:
        self.reconciler: Reconciler | None = None
        self._settings = settings
        self._source = source
        self._keys = keys_of(settings)
        self._allowed: Allowed = settings.fleet_allow or ANY
        self._who = identity()
        self._etcd = Etcd(access(settings))
        self._watching = Watching(self._etcd, self._keys, self._told, self._state)
        self._presence = Presence(self._etcd, self._keys, self._who, self._state)
        host = socket.gethostname()
        self._following = Following(
            self._who,
            host,
            routes=self._routes,
            verifier=None if resolver is None else ConnectVerifier(resolver),
            place=self._place,
            report=self._presence.report,
        )
        self._memory = Memory(Path(settings.state)) if settings.state else None
        self._remember = Coalesced(self._save, "remember what stands in etcd")
        self._announcers: list[Announcer] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._problems: tuple[str, ...] = ()

    @property
    def reloadables(self) -> Sequence[Reloadable]:
        """Return what has to be called at a reload."""
        return (_Emptied(self._watching),)

    def placed(self, route: Route) -> Route:
        """Return `route` with the endpoints that its service has here."""
        return self._following.placed(route)

    async def start(self) -> None:
        """Read what is in etcd. Raises ConfigError, and SourceError where etcd cannot be reached
        and nothing is remembered.
        """
        try:
            await self._watching.start()
        except SourceError as error:
            remembered = self._memory.load() if self._memory else {}
            if not remembered:
                raise
            self._watching.remember(remembered)
            text = (
                f"started with what etcd had last, since it cannot be reached: {in_a_line(error)}"
            )
            log.event(log.WARNING, "etcd_stale", text, error=in_a_line(error))
        values = self._watching.values
        if self._settings.fleet and not values:
            raise ConfigError(self._nothing())
        self._take(values)
        for problem in self._following.picture.problems:
            self._tell(problem)
        if self._memory and values:
            await asyncio.to_thread(self._memory.save, dict(values))

    def begin(self, reconciler: Reconciler) -> None:
        """The routes exist now: watch, lead, report and announce. Raises ConfigError."""
        self.reconciler = reconciler
        self._following.begin()
        self._state()
        for name, endpoint in self._settings.announce:
            self._announced_route(name)
            look = partial(self._works, name)
            self._announcers.append(
                Announcer(self._etcd, self._keys, name, endpoint, who=self._who, look=look)
            )
        self._tasks = [
            spawn(self._watching.run(), "watch etcd"),
            spawn(self._presence.run(), "report to the fleet"),
            *(spawn(self._announce(one), "announce") for one in self._announcers),
        ]

    def change(self, steps: Sequence[Step]) -> None:
        """Lead services as the routes are after `steps`."""
        for step in steps:
            route = step.new if hasattr(step, "new") else step.route
            old = step.old if hasattr(step, "old") else route
            if route.service and (
                isinstance(step, RemoveRoute)
                or not hasattr(step, "old")
                or old.service != route.service
                or old.placed is not route.placed
            ):
                self._following.look()
                return

    async def close(self) -> None:
        """Stop following, and take back what was reported and announced."""
        self._following.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            self._tasks = []
            await asyncio.gather(*(one.leave() for one in self._announcers), self._presence.leave())
        self._etcd.close()

    def _routes(self) -> Sequence[Route]:
        return self.reconciler.routes if self.reconciler is not None else ()

    async def _place(self, *what: object) -> None:
        assert self.reconciler is not None
        await self.reconciler.remote.place(*what)  # type: ignore[arg-type]

    def _take(self, values: Mapping[str, Value]) -> Picture:
        found = picture(
            self._keys,
            values,
            self._allowed,
            self._following.picture,
            routes=self._source is not None,
        )
        self._following.picture = found
        if self._source is not None:
            self._source.routes = found.routes
        return found

    async def _told(self, values: Mapping[str, Value]) -> None:
        before = self._following.picture
        now = self._take(values)
        for problem in now.problems:
            if problem not in before.problems:
                self._tell(problem)
        if now.problems != before.problems:
            self._state()
        if self._source is not None and now.routes != before.routes:
            try:
                assert self.reconciler is not None
                await self.reconciler.remote.renew(NAME)
            except AmbassadorError as error:
                log.event(log.DEBUG, "not_renewed", in_a_line(error))
        self._following.look()
        if self._memory is not None:
            self._remember.ask()

    async def _save(self) -> None:
        assert self._memory is not None
        await asyncio.to_thread(self._memory.save, dict(self._watching.values))

    def _state(self) -> None:
        """Have `status` show what is wrong, and since when."""
        if self.reconciler is None:
            return
        watching = self._watching
        texts = [text for text in (watching.problem, watching.held, self._presence.problem) if text]
        found = self._following.picture.problems
        texts += [f"{one.where}: {one.what} (skipped)" for one in found[:_SHOWN]]
        if len(found) > _SHOWN:
            texts.append(f"and {len(found) - _SHOWN} more keys were skipped")
        since = watching.since or (time.time() if watching.held else 0.0)
        self.reconciler.remote.stale(NAME, "; ".join(texts), since, watching.read)

    @staticmethod
    def _tell(problem: Problem) -> None:
        text = in_a_line(ConfigError(problem))
        log.event(log.WARNING, "fleet_key", f"skipped: {text}", key=problem.where)

    def _nothing(self) -> Problem:
        first, prefix = self._keys.route("redis"), self._settings.fleet
        value = '{"schema":1,"listen":":6379","endpoints":["tcp://192.168.1.52:6379"]}'
        return Problem(
            "AMBASSADOR_FLEET",
            f"etcd has no routes or services under {prefix}/",
            prefix,
            f"a prefix with keys of a fleet: {prefix}/routes/NAME",
            f"etcdctl put {first} '{value}'",
        )

    # --- announcing what this ambassador serves ---

    def _announced_route(self, name: str) -> Route:
        routes = [route for route in self._routes() if name in (route.name, route.alias)]
        if not routes:
            known = ", ".join(route.name for route in self._routes())
            what = f'there is no route "{name}" here whose endpoints could be asked'
            raise ConfigError(Problem("AMBASSADOR_ANNOUNCE", what, name, f"one of {known}"))
        return routes[0]

    async def _works(self, name: str) -> str:
        """Return why no endpoint of the route `name` works; empty where one does."""
        assert self.reconciler is not None
        try:
            route = self._announced_route(name)
        except ConfigError:
            return "its route is gone"
        for status in self.reconciler.status([route]):
            for endpoint in status.route.endpoints:
                met = status.met.get(endpoint.address)
                if usable(endpoint) and not (met and met.failing):
                    return ""
        return f"no endpoint of {name} works"

    async def _announce(self, announcer: Announcer) -> None:
        try:
            await announcer.run()
        except (ConfigError, NotFoundError) as error:
            log.event(log.ERROR, "not_announced", in_a_line(error))
