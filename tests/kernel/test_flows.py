"""Open flows: counted where they belong, drained."""

import socket

import pytest

from ambassador.model import Proto
from ambassador.planes.kernel.flows import Flows
from tests.kernel.forwarding import forward
from tests.kernel.peers import listen, open_flows, times_of_resets
from tests.wait import until

PORT = (Proto.TCP, 6379)
OLD, NEW = ("10.77.0.4", 7000), ("10.77.0.5", 7000)


@pytest.fixture
def flows(loop, request):
    flows = loop.call(lambda: Flows(can_cut=getattr(request, "param", True)))
    loop.call(flows.open, lambda _port: None)
    yield flows
    loop.call(flows.close)


@pytest.fixture
def old(network):
    forward(network, ("tcp", 6379, *OLD))
    with listen(network.old, 7000) as listening:
        listening.settimeout(10)
        yield listening


def test_only_flows_that_lead_where_they_belong_are_counted(network, loop, flows, old):
    pairs = open_flows(network, old, 6379, 3)
    assert loop.do(flows.count({PORT: {OLD}})) == {PORT: {OLD: 3}}
    assert loop.do(flows.count({PORT: {NEW}})) == {}
    assert loop.do(flows.used({PORT, (Proto.TCP, 80)})) == {PORT}
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_a_drain_ends_with_the_last_flow(network, loop, flows, old):
    ((client, upstream),) = open_flows(network, old, 6379)
    draining = loop.start(flows.drain([PORT], 20.0))
    client.close()
    upstream.close()
    assert draining.result(10) == 0


@pytest.mark.parametrize("flows", [True, False], indirect=True)
def test_what_is_left_after_the_grace_is_cut_as_far_as_there_is_the_right_to(
    network, loop, flows, old, request
):
    ((client, upstream),) = open_flows(network, old, 6379)
    assert loop.do(flows.drain([PORT], 0.1)) == 1
    if request.node.callspec.params["flows"]:
        times_of_resets([(client, upstream)])
    else:
        client.sendall(b"x")  # meets no connection of ours

        def reset():
            return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

        until(reset, what="the client is told at its next segment")
    client.close()
    upstream.close()
