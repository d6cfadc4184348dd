"""Which flows of the kernel's table are sessions of our routes."""

import asyncio

import pytest

from ambassador.model import Endpoint, Inet, Proto, Route
from ambassador.planes.kernel.entry import Flow, FlowState
from ambassador.planes.kernel.listing import ID, Listed, open_flows
from ambassador.planes.kernel.route import KernelRoute

HERE, LEFT, OTHER = ("10.0.0.1", 7000), ("10.0.0.9", 7000), ("10.0.0.7", 7000)


class Flows:
    """Has these flows open, whatever the ports."""

    def __init__(self, *upstreams):
        self.upstreams = upstreams
        self.asked = []

    async def open_flows(self, ports):
        self.asked.append(set(ports))
        client, listen, nat = ("10.0.0.8", 4000), ("10.0.0.2", 6379), ("10.0.0.2", 4000)
        return [
            Flow(
                *(number, 2, Proto.TCP, client, listen, nat, upstream, FlowState.ESTABLISHED),
                *(1, 60, 2, 120, 0.0, 0.0, True, b""),
            )
            for number, upstream in enumerate(self.upstreams)
        ]


@pytest.fixture
def carried():
    one = KernelRoute(Route("redis", Inet("", 6379), (Endpoint(Inet("10.0.0.1", 7000)),)))
    one.learn_literals()
    one.belongs = one.belonging()
    return one


def test_flows_to_what_belongs_or_belonged_are_sessions_and_others_are_not(carried):
    carried.belonged = {LEFT, OTHER}
    found = asyncio.run(open_flows(Flows(HERE, LEFT, ("10.9.9.9", 7000)), [carried]))
    assert [(view.id, view.state, flow.upstream) for view, flow in found] == [
        (f"{ID}0", "open", HERE),
        (f"{ID}1", "leaving", LEFT),
    ]
    assert carried.belonged == {LEFT}


def test_without_routes_nobody_is_asked():
    flows = Flows(HERE)
    assert asyncio.run(open_flows(flows, [])) == []
    assert flows.asked == []


def test_a_route_that_came_in_place_of_another_has_only_what_leads_where_it_leads(carried):
    former = KernelRoute(Route("was", Inet("", 6379), (Endpoint(Inet("10.0.0.9", 7000)),)))
    former.belonged = {LEFT, HERE}
    found = asyncio.run(open_flows(Flows(HERE, LEFT), [carried, former]))
    assert [(view.route.name, view.state) for view, _ in found] == [
        ("redis", "open"),
        ("was", "leaving"),
    ]
    assert former.belonged == {LEFT}


def test_what_was_listed_just_now_is_not_listed_again(carried):
    flows, listed = Flows(HERE, HERE), Listed()

    async def anew():
        listed.keep(await open_flows(flows, [carried]))

    async def asking():
        await anew()
        both = await listed.flows(["k0", "r1.4", "k1"], anew)
        assert len(flows.asked) == 1
        assert [flow.id for flow in both] == [0, 1]
        assert [flow.id for flow in await listed.flows(["k1", "k7"], anew)] == [1]  # 7 has ended
        assert len(flows.asked) == 2
        assert await listed.flows(["r1.4"], anew) == []  # it is another plane's
        listed.forget()
        assert [flow.id for flow in await listed.flows(["k0"], anew)] == [0]
        assert len(flows.asked) == 3
        listed.forget()

    asyncio.run(asking())
