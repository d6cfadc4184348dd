"""An ambassador without a fleet: the same methods as in a fleet, but etcd is not asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ambassador.control.reconciler import Reconciler
from ambassador.core.plan import Step
from ambassador.core.wish import Placed
from ambassador.errors import ConfigError, Problem, RunError
from ambassador.model import Route
from ambassador.ports import Reloadable, Resolver, Source
from ambassador.settings import Settings

__all__ = ["Alone", "in_fleet", "missing", "seen"]

_EXAMPLE = "AMBASSADOR_ETCD=https://etcd1:2379,https://etcd2:2379"
_EXPECTED = "the members of an etcd"


class Alone:
    """The part of an ambassador in a fleet: here there is none; `Fleet` is the other class."""

    @property
    def reloadables(self) -> Sequence[Reloadable]:
        """Return what has to be called at a reload."""
        return ()

    def placed(self, route: Route) -> Route:
        """Return `route`, as it is written, with the endpoints that its service has here. Raises
        ConfigError where these are in etcd, and the settings name no etcd.
        """
        if not route.service:
            return route
        where = f" ({route.origin})" if route.origin else ""
        what = f"is not set, and the endpoints of {route.name}{where} stand in etcd"
        found = f"etcd://{route.service}"
        raise ConfigError(Problem("AMBASSADOR_ETCD", what, found, _EXPECTED, _EXAMPLE))

    async def start(self) -> None:
        """Read what is in etcd. Raises ConfigError and SourceError."""

    def begin(self, reconciler: Reconciler) -> None:
        """Lead the routes, which exist now, from now on. Raises ConfigError."""

    def change(self, steps: Sequence[Step]) -> None:
        """Lead services as the routes are after `steps`."""

    async def close(self) -> None:
        """Stop leading, and take back what was reported to etcd."""


def seen(settings: Settings, sources: Sequence[Source]) -> Placed:
    """Return the function that gives routes the endpoints that are in etcd now. Where whole routes
    are in etcd, their source among `sources` gives them from now on. Raises ConfigError and
    SourceError.
    """
    fleet = in_fleet(settings, sources, None)

    async def look() -> None:
        try:
            await fleet.start()
        finally:
            await fleet.close()

    if settings.etcd:
        asyncio.run(look())
    return fleet.placed


def in_fleet(settings: Settings, sources: Sequence[Source], resolver: Resolver | None) -> Alone:
    """Return the part in a fleet, where the settings name an etcd. Raises ConfigError."""
    for name in ("announce", "fleet") if not settings.etcd else ():
        if getattr(settings, name):
            what = "is set, and AMBASSADOR_ETCD is not: there is no etcd to ask"
            where = f"AMBASSADOR_{name.upper()}"
            raise ConfigError(Problem(where, what, "", _EXPECTED, _EXAMPLE))
    if not settings.etcd:
        return Alone()
    try:
        # 30 ms (ssl, json, h11) that an ambassador without a fleet saves.
        from ambassador.app.fleet import Fleet  # noqa: PLC0415
    except ImportError as error:
        raise missing(error) from error
    found = next((one for one in sources if one.name == "etcd"), None)
    return Fleet(settings, found, resolver)  # type: ignore[arg-type]


def missing(error: ImportError) -> RunError:
    """Return the error for a package of the extra `etcd` that is not installed."""
    return RunError(f"a fleet needs {error.name}: pip install 'ambassador[etcd]'")
