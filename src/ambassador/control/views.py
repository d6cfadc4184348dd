"""What is shown of routes and sessions, from what the planes and the reconciler know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ambassador.control.noted import Noted
from ambassador.core.describe import describe_listen
from ambassador.core.results import (
    AddressView,
    Changed,
    EndpointLeft,
    EndpointView,
    FollowView,
    HoldView,
    NumbersView,
    RouteView,
    SessionList,
    SessionView,
)
from ambassador.core.usable import usable
from ambassador.model import Endpoint, Health
from ambassador.ports import AddressProbed, EndpointMet, RouteStatus, SessionStatus
from ambassador.spec import format_endpoint, format_existing

__all__ = ["numbers", "route_view", "session_list"]


def route_view(
    status: RouteStatus,
    noted: Noted,
    changed: Changed | None,
    differs: str,
    follow: FollowView | None = None,
) -> RouteView:
    """Return what is shown of a route; `noted` has the last result of each probe."""
    route = status.route
    hold = None
    if route.hold is not None:
        hold = HoldView(status.held, route.hold.limit, route.hold.timeout)

    def view(endpoint: Endpoint) -> EndpointView:
        met = status.met.get(endpoint.address, EndpointMet())
        reason = met.error if met.failing else ""
        if endpoint.health is Health.UNHEALTHY:
            reason = noted.reasons.get((route.key, endpoint.address), "")
        return EndpointView(
            format_endpoint(endpoint),
            endpoint.admin.value,
            endpoint.health.value,
            reason,
            status.open_by_endpoint.get(endpoint.address, 0),
            usable(endpoint) and not met.failing,
            met.failures,
            met.error,
            round(met.failed, 3),
            met.failing,
            met.opened,
            met.to_upstream,
            met.to_client,
            addresses=_addresses(noted.addresses.get((route.key, endpoint.address), ())),
        )

    return RouteView(
        name=route.name,
        listen=describe_listen(route),
        endpoints=tuple(map(view, route.endpoints)),
        plane=status.plane,
        why=status.why,
        open=status.open,
        opened=status.opened,
        refused=status.refused,
        held=status.held,
        to_upstream=status.to_upstream,
        to_client=status.to_client,
        existing=format_existing(route.existing),
        origin=route.origin,
        hold=hold,
        changed=changed,
        differs=differs,
        left=_left(status),
        follow=follow,
        alike=status.alike,
    )


def _addresses(probed: Sequence[AddressProbed]) -> tuple[AddressView, ...]:
    return tuple(AddressView(one.address, one.health.value, one.reason) for one in probed)


def _left(status: RouteStatus) -> tuple[EndpointLeft, ...]:
    here = {endpoint.address for endpoint in status.route.endpoints}
    return tuple(
        EndpointLeft(format_endpoint(Endpoint(address, status.route.proto)), count)
        for address, count in status.open_by_endpoint.items()
        if count > 0 and address not in here
    )


def numbers(status: RouteStatus) -> NumbersView:
    """Return what a plane has counted of a route, where no part has counted more."""
    counts = (status.opened, status.refused, status.held_total)
    amounts = (status.to_upstream, status.to_client)
    return NumbersView(status.route.name, *counts, *amounts, (), (), ())


def session_list(sessions: Iterable[SessionStatus], limit: int) -> SessionList:
    """Return what is shown of sessions, the oldest first, at most `limit` of them."""
    known = sorted(sessions, key=lambda one: -(one.age or 0.0))
    views = (
        SessionView(
            one.id,
            one.route.name,
            one.client,
            one.address,
            None if one.age is None else round(one.age, 3),
            one.to_upstream,
            one.to_client,
            one.plane,
            one.state,
        )
        for one in known[:limit]
    )
    return SessionList(tuple(views), len(known))
