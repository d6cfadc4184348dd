"""What an ambassador watches while it has the routes."""

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

_PIECE = 50  # steps, which take 0.5 ms, before other work of the loop gets a turn


class Watches:
    """The probes, the followers of primaries, the files of networks, the configuration file, and
    whether conntrack has room. `forget` is called with the name of each route that is gone, or
    whose name another route has now; `keep` has the service manager keep the listeners of this
    process.
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
        """Watch what there is without any route."""
        self._fullness.open()
        self._identity.open()

    async def change(self, steps: Sequence[Step]) -> None:
        """Watch for the routes as they are after `steps`."""
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
        if not all(isinstance(step, ChangeRoute) for step in steps):  # or no listener changes
            await self._keep()

    def _check(self, steps: Sequence[Step]) -> None:
        """Probe endpoints as they are after `steps`; imported with the first `health`."""
        if self._checks is None:
            if not any(route_of(step).health for step in steps):
                return
            from ambassador.probes.checks import HealthChecks  # noqa: PLC0415

            asked = partial(keeping_up, self._resolver)
            self._checks = HealthChecks(self._resolver, self._reconciler.judge, asked, self._keys)
        self._checks.change(steps)

    def of_file(self, path: str) -> FileWatch | None:
        """Return a watch that sees when the file at `path` changes from now on; None without a
        path.
        """
        reload = partial(self._reconciler.reload, by_operator=False)
        return FileWatch(Path(path), reload) if path else None

    async def watch(self, file: FileWatch | None, name: str) -> None:
        """Reload when `file` changes; `name` is its name in the log. All else has started by
        then.
        """
        if file is not None:
            self._watching = spawn(file.run(), f"watch {name}")
        await self._keep()

    def close(self) -> None:
        """Watch nothing any more."""
        spawn(self._fleet.close(), "leave the fleet")
        if self._checks is not None:
            self._checks.close()
        self.followers.close()
        self._networks.close()
        self._fullness.close()
        self._identity.close()
        if self._watching is not None:
            self._watching.cancel()
