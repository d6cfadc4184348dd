"""What followers of every kind share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from ambassador.core.follow.lead import Lead
from ambassador.core.located import at
from ambassador.errors import AmbassadorError, ResolveError
from ambassador.follow.channel import Credentials, context
from ambassador.follow.talk import Terms
from ambassador.model import Inet, Route
from ambassador.ports import Resolver

__all__ = ["Follower", "Report", "Telling", "allowed", "terms"]

# Called with each lead; returns when it is in force. Raises PlaneError, and then all is as before.
Report = Callable[[Lead], Awaitable[None]]


class Follower(ABC):
    """Finds out which member of a store is the primary, until it is closed."""

    @property
    @abstractmethod
    def asked(self) -> tuple[int, int]:
        """How many members or sentinels answer, and how many it asks."""

    @property
    @abstractmethod
    def problems(self) -> tuple[str, ...]:
        """What is wrong, and what helps."""

    @abstractmethod
    def close(self) -> None:
        """Stop following."""


class Telling:
    """Calls `report` with each lead that differs from the last one it was called with."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._told: Lead | None = None

    async def tell(self, lead: Lead) -> None:
        """Report `lead`; where it could not be put in force, that is logged, and the next call
        reports again.
        """
        if lead == self._told:
            return
        try:
            await self._report(lead)
        except AmbassadorError:
            return
        self._told = lead


def terms(user: str, password_file: str, tls: str) -> Terms:
    """Return the user and the TLS context for a member. Raises Silence where TLS cannot be used
    so.
    """
    return Terms(Credentials(user, password_file), context(tls))


async def allowed(route: Route, place: tuple[str, int], resolver: Resolver) -> bool:
    """Return whether the endpoints that are written for `route` allow `place` as its primary; where
    none are written, any place is allowed.
    """
    if not route.endpoints:
        return True
    for endpoint in route.endpoints:
        address = endpoint.address
        if isinstance(address, Inet):
            try:
                found = await resolver.resolve(address.host)
                if any(at(one, address.port) == place for one in found):
                    return True
            except ResolveError:
                continue
    return False
