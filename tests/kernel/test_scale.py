"""Many routes: installed soon, changed one by one at no cost, without stalling anything else."""

from __future__ import annotations

import os
import time

import pytest

from ambassador.core.merge import merge
from ambassador.core.plan import AddRoute, ChangeRoute, plan
from ambassador.model import Endpoint, Inet, Route, Snapshot
from ambassador.planes.kernel.plane import KernelPlane
from ambassador.planes.kernel.privilege import look
from tests.kernel.peers import listen, open_flows
from tests.names import StaticResolver

COUNT = 5000
FIRST = 10_000


def route(number: int, host: str) -> Route:
    port = FIRST + number
    endpoint = Endpoint(Inet(host, 7000))
    return Route(f"r{number}", Inet("", port), (endpoint,), alias=f"r{number}", port=port)


@pytest.fixture
def plane(network, loop):
    abilities = network.ambassador.call(look)
    plane = loop.call(
        lambda: KernelPlane(StaticResolver(), abilities, demanded=True, keep_rules=False)
    )
    yield plane
    loop.do(plane.close())


@pytest.mark.alone
@pytest.mark.timeout(120)
def test_five_thousand_routes(network, loop, plane, record_property):
    routes = tuple(route(number, "10.77.0.4") for number in range(COUNT))
    began = cpu()
    steps = plan((), merge([Snapshot("test", routes)]).routes)
    loop.do(plane.prepare(steps))
    _, stall = loop.longest_stall(plane.apply(steps))
    took = cpu() - began
    record_property("installed", took)
    record_property("longest stall", stall)
    assert took < 5  # 0.6 s
    assert len(loop.call(plane.status)) == COUNT

    own = []
    for number in range(10):
        change = ChangeRoute(routes[number], route(number, "10.77.0.5"))
        loop.do(timed(plane, change, own))
    record_property("one move", min(own))
    assert min(own) < 0.020

    with listen(network.new, 7000) as new:
        new.settimeout(10)
        for sock in open_flows(network, new, FIRST)[0]:
            sock.close()
    _, stall = loop.longest_stall(plane.measure())
    assert loop.call(plane.status, [route(0, "10.77.0.5")])[0].opened == 1
    assert stall < 0.1


def cpu():
    """Return the seconds of the processor that this process and its children have used."""
    return sum(os.times()[:4])


async def timed(plane, change, own):
    """Note the time of the processor that this process needs for one step; the program nft, a
    process of its own, is not in it.
    """
    before = time.process_time()
    await plane.apply([change])
    own.append(time.process_time() - before)


def first_packets(network, listening, count=200):
    """Return the time of a new connection in seconds, when nothing else came in between."""
    times = []
    for _ in range(count):
        began = time.monotonic()
        pair = open_flows(network, listening, FIRST)[0]
        times.append(time.monotonic() - began)
        for sock in pair:
            sock.close()
    return min(times)


@pytest.mark.alone
def test_a_first_packet_takes_as_long_with_many_routes_as_with_one(network, loop, plane):
    with listen(network.old, 7000) as old:
        old.settimeout(10)
        loop.do(plane.prepare([AddRoute(route(0, "10.77.0.4"))]))
        loop.do(plane.apply([AddRoute(route(0, "10.77.0.4"))]))
        one = first_packets(network, old)
        rest = [AddRoute(route(number, "10.77.0.4")) for number in range(1, COUNT)]
        loop.do(plane.apply(rest))
        many = first_packets(network, old)
    assert many < one * 2
