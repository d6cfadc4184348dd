"""Out of file descriptors: nobody is refused, all are served in turn, and it is said once."""

from __future__ import annotations

import resource

import pytest

from ambassador.model import Proto
from tests.ports import free_port
from tests.relay.peers import port_of, read_exactly
from tests.relay.running import descriptors, route
from tests.wait import until

_RESERVE = 16  # what the relay leaves for others; the test's own sockets live on it, too


@pytest.fixture
def leave():
    """Let this process have only so many more descriptors, which a relay made then takes for
    the limit; `None` takes the limit away again.
    """
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def limit(more):
        soft = before[0] if more is None else descriptors() + _RESERVE + more
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def said(caplog):
    return [record.event for record in caplog.records if hasattr(record, "event")]


def test_clients_beyond_the_limit_wait_in_the_backlog_and_are_served_in_turn(
    start_relay, peers, caplog, leave
):
    caplog.set_level("INFO", "ambassador")
    echo, port = peers.echo(), free_port()
    leave(20)
    relay = start_relay(workers=0)  # a worker has a budget of its own
    leave(None)  # the relay keeps its budget; the test's own sockets need more
    relay.add(route(port, echo.port))
    waiting = [peers.connect(port) for _ in range(60)]
    until(lambda: "descriptors_exhausted" in said(caplog))
    open_at_once = relay.status().open
    assert 0 < open_at_once <= 10
    for number, client in enumerate(waiting):
        client.sendall(b"%02d" % number)
        assert read_exactly(client, 2) == b"%02d" % number
        client.close()
        assert relay.status().open <= open_at_once
    until(lambda: relay.status().open == 0)
    status = relay.status()
    assert (status.opened, status.refused) == (60, 0)
    until(lambda: "descriptors_available" in said(caplog))
    assert said(caplog).count("descriptors_exhausted") == 1
    assert said(caplog).count("descriptors_available") == 1


def test_a_new_flow_takes_the_place_of_the_one_silent_longest(start_relay, peers, caplog, leave):
    caplog.set_level("DEBUG", "ambassador")
    service, port = peers.datagrams(), free_port()
    leave(6)
    relay = start_relay(workers=0)  # a worker has a budget of its own
    leave(None)
    relay.add(route(port, port_of(service), proto=Proto.UDP))
    flows = {}
    clients = [peers.datagrams() for _ in range(12)]
    for number, client in enumerate(clients):
        client.sendto(b"%d" % number, ("127.0.0.1", port))
        data, flows[number] = service.recvfrom(10)
        assert data == b"%d" % number
    limit = relay.status().open
    assert 0 < limit <= 5
    assert relay.status().opened == 12
    for number in range(12 - limit, 12):  # the youngest have kept their flows
        service.sendto(b"answer", flows[number])
        assert clients[number].recv(10) == b"answer"
    ended = [r.fields for r in caplog.records if getattr(r, "event", "") == "session_closed"]
    assert [fields["client"] for fields in ended] == [
        f"127.0.0.1:{port_of(client)}" for client in clients[: 12 - limit]
    ]
    assert said(caplog).count("flows_displaced") == 1


def test_a_flow_that_finds_none_free_and_none_to_displace_is_dropped_until_one_is(
    start_relay, peers, leave
):
    echo, service, port, flow = peers.echo(), peers.datagrams(), free_port(), free_port()
    leave(5)
    relay = start_relay(workers=0)  # a worker has a budget of its own
    leave(None)
    relay.add(route(port, echo.port), route(flow, port_of(service), proto=Proto.UDP, name="flow"))
    sessions = []

    def exhausted():
        client = peers.connect(port)
        client.sendall(b"x")
        client.settimeout(0.2)
        sessions.append(client)
        try:
            return client.recv(1) != b"x"
        except TimeoutError:
            return True

    until(exhausted)
    client = peers.datagrams()
    client.sendto(b"lost", ("127.0.0.1", flow))
    for session in sessions:
        session.close()
    until(lambda: relay.status().open == 0)
    service.settimeout(0.1)

    def arrives():
        client.sendto(b"question", ("127.0.0.1", flow))
        try:
            return service.recv(10)
        except TimeoutError:
            return None

    assert until(arrives) in {b"question", b"lost"}


def test_flows_take_at_most_half_so_that_tcp_finds_room(start_relay, peers, caplog, leave):
    echo, service, port, flow = peers.echo(), peers.datagrams(), free_port(), free_port()
    leave(180 - descriptors())
    relay = start_relay(workers=0)  # a worker has a budget of its own
    leave(None)
    half = (180 + _RESERVE) // 2
    relay.add(route(port, echo.port), route(flow, port_of(service), proto=Proto.UDP, name="flow"))
    for _ in range(half + 10):
        peers.datagrams().sendto(b"x", ("127.0.0.1", flow))
        assert service.recv(10) == b"x"
    status = relay.status("flow")
    assert (status.opened, status.open) == (half + 10, half)
    assert f"flow  {half} flows are open" in caplog.text
    with peers.connect(port) as client:
        client.sendall(b"x")
        assert read_exactly(client, 1) == b"x"
