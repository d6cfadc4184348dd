"""What an ambassador looks after while the routes are its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ambassador.app.alone import Alone
from ambassador.app.follow import Followers, keeping_up
from ambassador.app.identity import IdentityFiles
from ambassador.app.networks import NetworkFiles
from ambassador.control.reconciler import Reconciler
from ambassador.control.telling import route_of
from ambassador.core.plan import ChangeRoute, RemoveRoute, Step
from ambassador.planes.kernel.fullness import FullnessWatch
from ambassador.ports import Resolver
from ambassador.sources.networks import NetworkLists
from ambassador.sources.watch import FileWatch
from ambassador.tasks import Slice, spawn
from ambassador.tls.keyring import Keyring

if TYPE_CHECKING:
    from ambassador.probes.checks import HealthChecks

__all__ = ["Watches"]

_PIECE = 50  # steps, which take 0.5 ms, before other work of the loop may have its turn


class Watches:
    """The probes, the followers of primaries, the files of networks and the configuration file, and
    whether connection tracking has room.
    `forget` is told the name of each route that has gone, or is another that has the name; `keep`
    has whoever looks after this process keep its listeners.
    """

    def __init__(
        self,
        resolver: Resolver,
        reconciler: Reconciler,
        lists: NetworkLists,
        forget: Callable[[str], None],
        fleet: Alone,
        *,
        keys: Keyring,
        keep: Callable[[], Awaitable[None]],
    ) -> None:
        self._keep = keep
        self._fleet = fleet
        self.followers = Followers(resolver, reconciler)
        self._reconciler = reconciler
        self._resolver, self._keys = resolver, keys
        self._checks: HealthChecks | None = None
        self._networks = NetworkFiles(lists, reconciler)
        self._forget = forget
        self._fullness = FullnessWatch()
        self._identity = IdentityFiles(keys)
        reconciler.known_as(lambda: self._identity.view)
        self._watching: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Look after what is there without any route."""
        self._fullness.open()
        self._identity.open()

    async def change(self, steps: Sequence[Step]) -> None:
        """Look after the routes as `steps` have left them."""
        piece = Slice()
        for first in range(0, len(steps), _PIECE):
            some = steps[first : first + _PIECE]
            self._check(some)
            self.followers.change(some)
            self._fleet.change(some)
            self._networks.note(some)
            self._identity.change(
                [route_of(step) for step in some if not isinstance(step, RemoveRoute)]
            )
            for step in some:
                if not isinstance(step, ChangeRoute):
                    self._forget(step.route.name)
            await piece.end()
        self._networks.watch()
        if not all(isinstance(step, ChangeRoute) for step in steps):  # which listens as before
            await self._keep()

    def _check(self, steps: Sequence[Step]) -> None:
        """Ask endpoints as `steps` have left the routes; imported with the first `health`."""
        if self._checks is None:
            if not any(route_of(step).health for step in steps):
                return
            from ambassador.probes.checks import HealthChecks  # noqa: PLC0415

            asked = partial(keeping_up, self._resolver)
            self._checks = HealthChecks(self._resolver, self._reconciler.judge, asked, self._keys)
        self._checks.change(steps)

    def of_file(self, path: str) -> FileWatch | None:
        """Return what sees that the file at `path` is another than now; nothing without a path."""
        reload = partial(self._reconciler.reload, by_operator=False)
        return FileWatch(Path(path), reload) if path else None

    async def watch(self, file: FileWatch | None, name: str) -> None:
        """Reload when `file` changes; `name` is what it is called. All else is there by now."""
        if file is not None:
            self._watching = spawn(file.run(), f"watch {name}")
        await self._keep()

    def close(self) -> None:
        """Look after nothing any longer."""
        spawn(self._fleet.close(), "leave the fleet")
        if self._checks is not None:
            self._checks.close()
        self.followers.close()
        self._networks.close()
        self._fullness.close()
        self._identity.close()
        if self._watching is not None:
            self._watching.cancel()
