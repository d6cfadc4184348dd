"""All places where the program answers HTTP: the admin socket, and TCP if the settings say so.

They are bound before any route is, so that nothing has begun yet when a place is found to be taken.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.admin.door import Door
from ambassador.admin.locate import answers, serves_elsewhere
from ambassador.admin.place import called, candidates, of_our_own, usable
from ambassador.admin.server import AdminServer
from ambassador.admin.tcp import api_door, monitor_door
from ambassador.control.reconciler import Reconciler
from ambassador.core.known import Place
from ambassador.errors import RunError
from ambassador.model import Inet
from ambassador.sockets.inherited import Inherited

if TYPE_CHECKING:
    from ambassador.admin.web import Token
    from ambassador.ports import MetricsPage

__all__ = ["ONWARD", "Doors"]

# Seconds in which the successor must answer a request that came here.
ONWARD = 30.0

_LOOK = 0.02  # seconds between two looks whether the admin socket has another owner


class Doors:
    """Answers for one reconciler; `metrics` makes the text of /metrics (None: no such path)."""

    def __init__(self, reconciler: Reconciler, metrics: MetricsPage | None = None) -> None:
        self._reconciler = reconciler
        self._metrics = metrics
        self._name = ""
        self._doors: list[Door | AdminServer] = []

    def bind(
        self,
        admin: str,
        environ: Mapping[str, str],
        *,
        name: str = "",
        api: Inet | None = None,
        token: Token = "",
        monitor: Inet | None = None,
        inherited: Inherited | None = None,
    ) -> None:
        """Bind every place. `admin` is the path of the admin socket, or `off`; if it is empty, the
        best folder is used, if there is one, and `name` is the name of the socket there.

        A TCP listener is taken from `inherited` if that has it. Raises RunError when a place cannot
        be bound; `stop` closes those that were.
        """
        self._name = name
        if admin and admin != "off":
            self._doors.append(self._socket(Path(admin)))
        elif not admin:
            self._doors += self._best(environ, name)
        if api is not None:
            self._doors.append(
                api_door(
                    api, self._reconciler, token, self._metrics, inherited, onward=self._onward
                )
            )
        if monitor is not None:
            self._doors.append(
                monitor_door(
                    monitor, self._reconciler, self._metrics, inherited, onward=self._onward
                )
            )

    def replace(self, path: Path) -> None:
        """Be ready to take the admin socket at `path` from its process. Raises RunError."""
        server = AdminServer(path, self._reconciler, self._metrics, self._onward)
        server.bind(replace=True)
        self._doors.append(server)

    async def take_place(self) -> None:
        """Take the admin socket from its process. Raises OSError."""
        for door in self._doors:
            if isinstance(door, AdminServer):
                # in a thread: clients of routes do not wait for a file system
                await asyncio.to_thread(door.take_place)

    async def until_replaced(self, seconds: float) -> None:
        """Wait until another has taken the admin socket's place, `seconds` at most."""
        servers = [door for door in self._doors if isinstance(door, AdminServer)]
        for _ in range(round(seconds / _LOOK)):
            if all(one.replaced for one in servers):
                return
            await asyncio.sleep(_LOOK)

    @property
    def path(self) -> Path | None:
        """The path of the admin socket; None if there is none."""
        return next((door.path for door in self._doors if isinstance(door, AdminServer)), None)

    @property
    def sockets(self) -> list[socket.socket]:
        """The listening sockets of TCP."""
        return [door.sock for door in self._doors if isinstance(door, Door)]

    async def start(self) -> None:
        """Begin to answer, and let `status` show where."""
        if self.path is not None:
            self._reconciler.asked_at(Place(self._name, str(self.path)))
        for door in self._doors:
            await door.start()

    async def drain(self, seconds: float) -> None:
        """Another process answers in our place: for `seconds` at most, answer the requests that
        have come here.
        """
        await asyncio.gather(*(door.drain(seconds) for door in self._doors))

    async def stop(self) -> None:
        """Stop answering, and leave no socket behind."""
        # at the same time: each waits 0.1 s for answers that are being written
        await asyncio.gather(*(door.stop() for door in self._doors))

    async def _onward(self, where: str) -> tuple[int, str, bytes]:
        """Ask the process that has taken over; see web.Onward."""
        from ambassador.admin.client import get  # noqa: PLC0415 (only an upgrade needs it)

        path = self.path
        if path is None:
            raise RunError("another ambassador has the routes")
        await self.until_replaced(ONWARD)
        return await asyncio.to_thread(get, path, where, ONWARD)

    def _socket(self, path: Path) -> AdminServer:
        server = AdminServer(path, self._reconciler, self._metrics, self._onward)
        server.bind()
        return server

    def _best(self, environ: Mapping[str, str], name: str) -> list[AdminServer]:
        failure, taken = "no folder for it can be written", ""
        for path in (called(one, name) for one in candidates(environ)):
            if not usable(path):
                continue
            for place in (path, of_our_own(path)):
                try:
                    found = [self._socket(place)]
                except RunError as error:
                    failure = str(error)
                else:
                    _say_second(taken, found[0].path)
                    return found
                if not serves_elsewhere(path):
                    if name and answers(path):
                        raise RunError(f"an ambassador called {name} runs here: {failure}")
                    taken = taken or (str(path) if answers(path) else "")
                    break
        log.event(
            log.WARNING,
            "no_admin",
            f"no admin socket: {failure}; `ambassador status` and `healthcheck` cannot ask this "
            "ambassador (AMBASSADOR_ADMIN=PATH gives it one of its own)",
            reason=failure,
        )
        return []


def _say_second(taken: str, path: Path) -> None:
    """If another ambassador has the usual place, log where this one is asked."""
    if taken:
        log.event(
            log.WARNING,
            "second_ambassador",
            f"another ambassador is asked at {taken}; this one at {path}: --admin {path} with "
            "each verb. A name tells them apart: ambassador run --name NAME",
            other=taken,
            admin=str(path),
        )
