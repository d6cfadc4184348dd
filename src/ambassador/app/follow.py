"""Followers of primaries, imported when the first route follows one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from ambassador.control.reconciler import Reconciler
from ambassador.core.plan import RemoveRoute, Step
from ambassador.model import Endpoint, Route, RouteKey
from ambassador.ports import Resolver

if TYPE_CHECKING:
    from ambassador.follow.following import Following

__all__ = ["Followers", "keeping_up"]


class Followers:
    """Follows for the routes of `reconciler`."""

    def __init__(self, resolver: Resolver, reconciler: Reconciler) -> None:
        self._resolver = resolver
        self._reconciler = reconciler
        self._following: Following | None = None
        reconciler.switches.asked = self._asked

    def change(self, steps: Sequence[Step]) -> None:
        """Follow for the routes as they are after `steps`."""
        if self._following is None:
            routes = [step for step in steps if not isinstance(step, RemoveRoute)]
            if not any(
                (step.new if hasattr(step, "new") else step.route).follows for step in routes
            ):
                return
            # 10 ms and 2 MB (ssl, json) that other routes save.
            from ambassador.follow.following import Following  # noqa: PLC0415

            switches = self._reconciler.switches
            self._following = Following(self._resolver, self._reconciler.lead, switches.memories)
        self._following.change(steps)

    def close(self) -> None:
        """Stop following."""
        if self._following is not None:
            self._following.close()

    def _asked(self, key: RouteKey) -> tuple[int, int, tuple[str, ...]]:
        return self._following.asked(key) if self._following is not None else (0, 0, ())


def keeping_up(
    resolver: Resolver, route: Route, endpoint: Endpoint
) -> AbstractAsyncContextManager[Callable[[], Awaitable[Mapping[str, str]]]]:
    """Ask whether `endpoint` is a replica that keeps up; see ports.LoggingIn."""
    from ambassador.follow.replicas import keeping_up as found  # noqa: PLC0415 (as above)

    return found(resolver, route, endpoint)
