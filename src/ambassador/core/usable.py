"""Which endpoints get new sessions, and which keep their open ones.

Presence (the sources), admin (the operator) and health (the probes) are independent facts; what
follows from them is decided here, once, for every plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ambassador.core.located import at
from ambassador.model import Admin, Endpoint, Health

__all__ = ["is_lost", "keeps", "spared", "usable", "working"]


def usable(endpoint: Endpoint) -> bool:
    """Return whether an endpoint of a route may get new sessions."""
    return endpoint.admin is Admin.READY and _well(endpoint)


def keeps(endpoint: Endpoint) -> bool:
    """Return whether an endpoint of a route keeps its open sessions; if not, they follow the
    route's `existing`, as for an endpoint that has left.
    """
    return endpoint.admin is not Admin.MAINT and _well(endpoint)


def working(endpoint: Endpoint, addresses: Sequence[str]) -> Sequence[str]:
    """Return the `addresses` of the endpoint's name that get new sessions and keep their open ones:
    all that have not failed their probes, or all, where every one has failed.
    """
    if not endpoint.down or endpoint.spared:
        return addresses
    return [one for one in addresses if one not in endpoint.down] or addresses


def is_lost(endpoint: Endpoint, place: tuple[str, int]) -> bool:
    """Return whether `place`, an address and a port, has failed its probes."""
    if not endpoint.down or endpoint.spared:
        return False
    return any(at(one, place[1]) == place for one in endpoint.down)


def spared(endpoints: Sequence[Endpoint], panic: bool) -> tuple[Endpoint, ...]:
    """Return `endpoints` of a route. With `panic`, and where all are unhealthy, they are marked as
    spared: if every probe fails, the fault may be the probe, or the network.
    """
    ready = [one for one in endpoints if one.admin is Admin.READY]
    lost = panic and bool(ready) and all(one.health is Health.UNHEALTHY for one in ready)
    return tuple(
        one
        if one.spared is (new := lost and one.health is Health.UNHEALTHY)
        else replace(one, spared=new)
        for one in endpoints
    )


def _well(endpoint: Endpoint) -> bool:
    return endpoint.health is not Health.UNHEALTHY or endpoint.spared
