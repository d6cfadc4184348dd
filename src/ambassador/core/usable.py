"""Which endpoints get new sessions, and which keep those they have.

Presence (the sources), admin (the operator) and health (the probes) are independent facts; what
follows from them is said here, once, for every plane.
"""

from __future__ import annotations

from ambassador.model import Admin, Endpoint, Health

__all__ = ["keeps", "usable"]


def usable(endpoint: Endpoint) -> bool:
    """Return whether an endpoint of a route may get new sessions."""
    return endpoint.admin is Admin.READY and endpoint.health is not Health.UNHEALTHY


def keeps(endpoint: Endpoint) -> bool:
    """Return whether an endpoint of a route keeps its open sessions; else they follow the
    route's `existing`, as those of an endpoint that is no longer there.
    """
    return endpoint.admin is not Admin.MAINT and endpoint.health is not Health.UNHEALTHY
