"""Of all that happens in conntrack, what is ours and matters is heard."""

from __future__ import annotations

import socket

import pytest

from ambassador.model import Proto, Reason
from ambassador.planes.kernel.conntrack import Conntrack
from ambassador.planes.kernel.hearing import FlowEvent, Hearing
from tests.kernel.forwarding import forward
from tests.kernel.peers import listen, open_flows, udp
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
    loop.call(hearing.open)
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


def test_of_datagrams_the_first_and_the_end_of_their_entry_are_heard(network, loop, heard, old):
    upstream = udp(network.old, 7053)
    client = network.client.socket(kind=socket.SOCK_DGRAM)
    for _ in range(3):
        client.sendto(b"hello", ("10.77.0.2", 53))
        _, back = upstream.recvfrom(5)
        upstream.sendto(b"hello", back)
        client.recv(5)
    conntrack = Conntrack()
    loop.call(conntrack.open)
    loop.await_(conntrack.delete(loop.await_(conntrack.flows(Proto.UDP, [53]))))
    until(lambda: len(heard) >= 2)
    assert [event for event, _, _ in heard] == [FlowEvent.NEW, FlowEvent.FORGOTTEN]
    loop.call(conntrack.close)
    upstream.close()
    client.close()


def test_what_cannot_be_heard_any_longer_is_said_once(network, loop, heard, old, caplog):
    """More at once than fits: the loop does not come to read."""
    caplog.set_level("WARNING", "ambassador")

    def speak(first):
        for port in range(first, first + 20_000):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind(("", port))
                sock.sendto(b"?", ("10.77.0.2", 53))

    for first in (10_000, 35_000):
        loop.call(network.client.call, speak, first)
    until(lambda: heard)
    said = [record for record in caplog.records if record.event == "flow_events_lost"]
    assert len(said) == 1
