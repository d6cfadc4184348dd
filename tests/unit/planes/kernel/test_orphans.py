"""Flows that an earlier ambassador left, by the port they came to."""

from ambassador.model import Endpoint, Inet, Proto, Route
from ambassador.planes.kernel.entry import Flow, FlowState
from ambassador.planes.kernel.orphans import Orphans
from ambassador.planes.kernel.removed import RemovedRoutes
from ambassador.planes.kernel.route import KernelRoute

TCP = Proto.TCP
OLD, NEW = ("10.0.0.1", 7000), ("10.0.0.2", 7000)


def found(upstream, port=6379, state=FlowState.ESTABLISHED):
    client, listen, nat = ("10.0.0.8", 4000), ("10.0.0.2", port), ("10.0.0.2", 4000)
    ends = (1, 2, TCP, client, listen, nat, upstream, state)
    return Flow(*ends, *(1, 60, 2, 120, 0.0, 0.0, True, b""))


def test_they_are_taken_once_by_who_listens_on_their_port():
    orphans = Orphans([found(OLD), found(NEW), found(OLD), found(OLD, port=80)])
    assert orphans.take([(TCP, 6379), (TCP, 6380)]) == {OLD, NEW}
    assert orphans.take([(TCP, 6379)]) == set()
    assert orphans


def test_what_is_over_is_no_orphan():
    assert not Orphans([found(OLD, state=FlowState.OVER)])


def test_those_whose_port_nobody_has_are_kept_under_its_number():
    orphans = Orphans([found(OLD, port=80)])
    ((route, upstreams),) = orphans.strays()
    assert upstreams == {OLD}
    assert route == Route("earlier-80", Inet("", 80), (Endpoint(Inet(*OLD)),))
    assert not orphans
    removed = RemovedRoutes()
    removed.adopt(route, upstreams)
    assert removed.route_of((TCP, 80)) == route
    assert [one.belonged for one in removed] == [{OLD}]


def test_they_are_judged_when_every_endpoint_is_known_and_not_before():
    route = Route("redis", Inet("", 6379), (Endpoint(Inet("redis", 7000)),))
    kernel_route = KernelRoute(route)
    kernel_route.adopt({OLD})
    assert kernel_route.belonged == {OLD}  # listed from the start
    assert kernel_route.judged() == frozenset()
    kernel_route.learn("redis", ["10.0.0.2"])
    assert kernel_route.judged() == {OLD}
    assert kernel_route.judged() == frozenset()
