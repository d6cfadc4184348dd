"""Of all that happens in conntrack, what is ours and matters is heard."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvloop

from ambassador.model import Proto, Reason
from ambassador.planes.kernel.conntrack import Conntrack
from ambassador.planes.kernel.hearing import FlowEvent, Hearing
from tests.kernel.forwarding import forward
from tests.kernel.peers import listen, open_flows, udp
from tests.loops import LoopThread
from tests.wait import until


@pytest.fixture
def old(network):
    forward(network, ("tcp", 6379, "10.77.0.4", 7000), ("udp", 53, "10.77.0.4", 7053))
    with listen(network.old, 7000) as listening:
        listening.settimeout(10)
        yield listening


@pytest.fixture
def heard(loop):
    """Event, port of the client, and who ended it."""
    heard = []
    hearing = Hearing(lambda event, flow, by: heard.append((event, flow.client[1], by)))
    loop.call(hearing.open, 0xFFFF)
    yield heard
    loop.call(hearing.close)


def test_of_a_connection_its_begin_and_its_end_are_heard_and_of_others_nothing(network, heard, old):
    with listen(network.ambassador, 7100) as ours:
        ours.settimeout(10)
        for sock in open_flows(network, ours, 7100)[0]:  # goes nowhere from here
            sock.close()
    ((client, upstream),) = open_flows(network, old, 6379)
    port = client.getsockname()[1]
    upstream.sendall(b"answer")
    assert client.recv(6, socket.MSG_WAITALL)
    client.close()
    upstream.close()
    until(lambda: len(heard) >= 2)
    assert heard == [
        (FlowEvent.NEW, port, Reason.UNKNOWN),
        (FlowEvent.OVER, port, Reason.CLIENT),
    ]


def test_of_datagrams_the_first_and_what_we_delete_are_heard(network, loop, old):
    heard = []
    conntrack = Conntrack()
    loop.call(conntrack.open)
    hearing = Hearing(lambda event, _flow, _by: heard.append(event))
    loop.call(hearing.open, conntrack.port)
    upstream = udp(network.old, 7053)
    client = network.client.socket(kind=socket.SOCK_DGRAM)
    for _ in range(3):
        client.sendto(b"hello", ("10.77.0.2", 53))
        _, back = upstream.recvfrom(5)
        upstream.sendto(b"hello", back)
        client.recv(5)
    loop.do(conntrack.delete(loop.do(conntrack.flows(Proto.UDP, [53]))))
    until(lambda: len(heard) >= 2)
    assert heard == [FlowEvent.NEW, FlowEvent.FORGOTTEN]
    loop.call(hearing.close)
    loop.call(conntrack.close)
    upstream.close()
    client.close()


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_did_not_fit_is_counted_and_what_comes_later_is_heard(network, old, factory):
    """More at once than fits: the loop does not come to read."""
    heard, missed = [], []
    loop = LoopThread(network.ambassador, factory)
    hearing = Hearing(lambda _event, flow, _by: heard.append(flow.client[1]), missed.append)
    loop.call(hearing.open, 0xFFFF)

    def speak(first, last):
        for port in range(first, last):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind(("", port))
                sock.sendto(b"?", ("10.77.0.2", 53))

    loop.call(network.client.call, speak, 10_000, 30_000)
    until(lambda: missed and len(heard) + sum(missed) == 20_000, 10)
    assert len(missed) == 1
    network.client.call(speak, 40_000, 40_020)
    until(lambda: heard[-20:] == list(range(40_000, 40_020)))
    loop.call(hearing.close)
    loop.close()
