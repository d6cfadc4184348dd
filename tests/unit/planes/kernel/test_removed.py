"""What is remembered of a route that was removed."""

import pytest

from ambassador.model import Endpoint, Inet, Proto, Route
from ambassador.planes.kernel.entry import Flow, FlowState
from ambassador.planes.kernel.life import Stage
from ambassador.planes.kernel.registry import Registry
from ambassador.planes.kernel.removed import RemovedRoutes
from ambassador.planes.kernel.route import KernelRoute

ONE, OTHER = ("10.0.0.1", 7000), ("10.0.0.2", 7000)


@pytest.fixture
def departed():
    return RemovedRoutes()


def removed(*upstreams, name="redis", port=6379, counted=True):
    carried = KernelRoute(Route(name, Inet("", port), (Endpoint(Inet("10.0.0.1", 7000)),)))
    carried.belongs = frozenset(upstreams)
    carried.stage = Stage.FORWARDED if counted else Stage.RELAYED
    return carried


def test_all_it_led_to_has_left(departed):
    carried = removed(ONE)
    carried.belonged = {OTHER}
    departed.add([carried])
    (one,) = departed
    assert (one.belongs, one.belonged, one.ways) == (frozenset(), {ONE, OTHER}, {})
    assert carried.belongs == {ONE}  # it may have to come back


def test_whose_a_port_was_is_known_until_no_flow_is_left(departed):
    departed.add([removed(ONE)])
    assert departed.route_of((Proto.TCP, 6379)).name == "redis"
    assert departed.route_of((Proto.UDP, 6379)) is None
    for one in departed:
        one.belonged.clear()
    departed.forget()
    assert departed.route_of((Proto.TCP, 6379)) is None


def test_of_one_address_the_last_route_is_known_with_what_all_led_to(departed):
    departed.add([removed(ONE)])
    departed.add([removed(OTHER, name="other")])
    (one,) = departed
    assert (one.route.name, one.belonged) == ("other", {ONE, OTHER})


def test_what_never_led_anywhere_is_not_remembered(departed):
    departed.add([removed()])
    departed.add([removed(ONE, counted=False)])
    assert list(departed) == []


def test_all_can_be_forgotten(departed):
    departed.add([removed(ONE)])
    departed.clear()
    assert list(departed) == []


def test_what_stays_after_all_is_not_remembered(departed):
    departed.add([removed(ONE), removed(OTHER, port=5432)])
    departed.remove([removed(ONE)])
    assert [one.route.listen.port for one in departed] == [5432]


def test_a_flow_is_of_a_route_that_leads_or_led_where_it_leads():
    here = Registry()
    here.swap([], [removed(ONE)])
    known = RemovedRoutes(here)
    known.add([removed(OTHER, name="other", port=80)])

    def led(upstream, port):
        ends = (1, 2, Proto.TCP, ("10.0.0.8", 4000), ("10.0.0.9", port), ("10.0.0.9", 4000))
        return known.has_led(
            Flow(*ends, upstream, FlowState.ESTABLISHED, *(1, 60, 2, 120, 0.0, 0.0, True, b""))
        )

    assert led(ONE, 6379)
    assert led(OTHER, 80)
    assert not led(OTHER, 6379)
    assert not led(ONE, 443)
