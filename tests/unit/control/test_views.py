"""What is told of a route, from what is known of it."""

from dataclasses import replace

import pytest

from ambassador.control.noted import Noted
from ambassador.control.views import route_view, session_list
from ambassador.core.results import AddressView, Changed, EndpointView, HoldView
from ambassador.model import Admin, Endpoint, Existing, Fate, Health, Hold, Inet, Proto, Route
from ambassador.ports import AddressProbed, EndpointMet, RouteStatus, SessionStatus

A = Endpoint(Inet("dba", 6379), weight=2, admin=Admin.DRAIN)
B = Endpoint(Inet("dbb", 6379), health=Health.UNHEALTHY)


def status(hold=None):
    route = Route(
        "redis", Inet("", 6379), (A, B), existing=Existing(Fate.CUT), hold=hold, origin="var"
    )
    return RouteStatus(
        route, "relay", "held", 5, 2, 1, 10, 20, held=1, open_by_endpoint={A.address: 2}
    )


def test_a_route_is_told_with_all_its_endpoints():
    changed = Changed(1.0, "ann", "drained")
    place = (Proto.TCP, Inet("", 6379)), B.address
    noted = Noted()
    noted.reasons[place] = "no PONG"
    noted.addresses[place] = (AddressProbed("10.0.0.2", Health.UNHEALTHY, "no PONG"),)
    view = route_view(status(), noted, changed, "differs")
    assert view.endpoints == (
        EndpointView("tcp://dba:6379?weight=2", "drain", "unknown", "", 2, False),
        EndpointView(
            *("tcp://dbb:6379", "ready", "unhealthy", "no PONG", 0, False),
            addresses=(AddressView("10.0.0.2", "unhealthy", "no PONG"),),
        ),
    )
    assert (view.name, view.listen, view.existing, view.origin) == ("redis", ":6379", "cut", "var")
    assert (view.plane, view.why, view.open, view.opened, view.refused, view.held) == (
        *("relay", "held", 2, 5, 1, 1),
    )
    assert (view.changed, view.differs, view.hold) == (changed, "differs", None)


def test_a_hold_is_told_with_who_waits():
    view = route_view(status(Hold(5.0, 7)), Noted(), None, "")
    assert view.hold == HoldView(1, 7, 5.0)


@pytest.mark.parametrize(("limit", "ids"), [(1, ["b"]), (5, ["b", "a"])])
def test_sessions_are_told_the_oldest_first(limit, ids):
    route = status().route
    known = [
        SessionStatus(name, route, "10.0.0.1:1", A, "10.0.0.2:1", age, 1, 2, "relay", "open")
        for name, age in (("a", 1.0), ("b", 2.00049))
    ]
    found = session_list(known, limit)
    assert ([one.id for one in found.sessions], found.total) == (ids, 2)
    assert (found.sessions[0].age, found.sessions[0].endpoint) == (2.0, "10.0.0.2:1")


def test_an_endpoint_that_clients_cannot_reach_is_no_good_one():
    redis = Route("redis", Inet("", 6379), (replace(A, admin=Admin.READY),))
    address = A.address
    dead = EndpointMet(3, 10, 20, 2, "connection refused", 7.0, True)
    one = RouteStatus(redis, "relay", "", 0, 0, 0, 0, 0, met={address: dead})
    view = route_view(one, Noted(), None, "").endpoints[0]
    assert (view.reason, view.usable, view.health) == ("connection refused", False, "unknown")
    assert (view.failures, view.error, view.failed, view.failing) == (
        *(2, "connection refused", 7.0),
        True,
    )
    assert (view.opened, view.to_upstream, view.to_client) == (3, 10, 20)
    again = replace(dead, failing=False)
    view = route_view(replace(one, met={address: again}), Noted(), None, "").endpoints[0]
    assert (view.reason, view.usable, view.error) == ("", True, "connection refused")
