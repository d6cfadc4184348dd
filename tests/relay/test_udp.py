"""UDP: datagrams, flows, their answers and their end."""

from __future__ import annotations

import asyncio
import logging
import socket
from itertools import pairwise

import pytest

from ambassador.model import Endpoint, Inet, Proto
from tests.ports import free_port
from tests.relay.asking import LOCAL, exchange, udp
from tests.relay.peers import port_of
from tests.relay.running import route
from tests.wait import until


def test_a_flow_is_one_client_and_answers_find_their_way(relay, peers):
    service, port = peers.datagrams(), free_port()
    relay.add(udp(port, port_of(service)))
    one, two = peers.datagrams(), peers.datagrams()
    assert exchange(one, port, service) == exchange(one, port, service, b"again")
    assert exchange(two, port, service) != exchange(one, port, service)
    status = relay.status()
    assert (status.opened, status.open, status.refused) == (2, 2, 0)
    assert status.to_upstream == len(b"question" * 3 + b"again")
    assert status.to_client == 4 * len(b"answer")


@pytest.mark.parametrize(
    ("host", "size"), [(LOCAL, 65507), ("::1", 65527), (LOCAL, 0), ("::1", 0), (LOCAL, 1)]
)
def test_datagrams_of_every_size_pass_whole(relay, peers, host, size):
    service, port = peers.datagrams(host), free_port()
    relay.add(udp(port, f"[{host}]:{port_of(service)}"))
    datagram = bytes(i % 251 for i in range(size))
    exchange(peers.datagrams(host), port, service, datagram, datagram[::-1], host=host)


def test_a_datagram_too_large_for_the_other_family_is_dropped_and_the_flow_lives(relay, peers):
    service, port = peers.datagrams(LOCAL), free_port()
    relay.add(udp(port, port_of(service)))
    client = peers.datagrams("::1")
    client.sendto(bytes(65527), ("::1", port))  # 20 more than IPv4 can carry
    exchange(client, port, service, host="::1")
    assert relay.status().opened == 1


@pytest.mark.parametrize("asked", ["127.0.0.1", "127.0.0.2", "127.9.9.9", "::1"])
def test_an_answer_comes_from_the_address_that_was_asked(relay, peers, asked):
    service, port = peers.datagrams(), free_port()
    relay.add(udp(port, port_of(service)))
    client = peers.datagrams("::1" if ":" in asked else LOCAL)
    client.sendto(b"question", (asked, port))
    data, flow = service.recvfrom(100)
    service.sendto(data, flow)
    assert client.recvfrom(100)[1][:2] == (asked, port)


def test_one_client_socket_that_speaks_to_two_addresses_has_two_flows(relay, peers):
    service, port = peers.datagrams(), free_port()
    relay.add(udp(port, port_of(service)))
    client = peers.datagrams()
    flows = {exchange(client, port, service, host=host) for host in (LOCAL, "127.0.0.2")}
    assert len(flows) == 2


@pytest.mark.parametrize("host", [LOCAL, "::1"])
def test_a_route_may_listen_on_one_address(relay, peers, host):
    service, port = peers.datagrams(), free_port()
    relay.add(route(f"[{host}]:{port}", port_of(service), proto=Proto.UDP))
    client = peers.datagrams(host)
    exchange(client, port, service, host=host)


def test_only_the_endpoint_may_answer(relay, peers):
    service, stranger, port = peers.datagrams(), peers.datagrams(), free_port()
    relay.add(udp(port, port_of(service)))
    client = peers.datagrams()
    client.sendto(b"question", (LOCAL, port))
    _, flow = service.recvfrom(100)
    stranger.sendto(b"forged", flow)
    service.sendto(b"true", flow)
    assert client.recv(100) == b"true"


def test_datagrams_keep_their_order_and_borders(relay, peers):
    service, port = peers.datagrams(), free_port()
    relay.add(udp(port, port_of(service)))
    client = peers.datagrams()
    sent = [b"%d" % i * (i % 7) for i in range(200)]
    for start in range(0, 200, 20):  # fewer than the socket's buffer takes
        for datagram in sent[start : start + 20]:
            client.sendto(datagram, (LOCAL, port))
        assert [service.recv(100) for _ in range(20)] == sent[start : start + 20]


def test_a_silent_flow_ends_after_idle_and_says_so(relay, peers, caplog):
    caplog.set_level(logging.DEBUG, "ambassador")
    service, port = peers.datagrams(), free_port()
    relay.add(udp(port, port_of(service), idle=0.2))
    client = peers.datagrams()
    before = exchange(client, port, service)
    until(lambda: relay.status().open == 0)
    (record,) = [r for r in caplog.records if getattr(r, "event", "") == "session_closed"]
    assert (record.fields["reason"], record.fields["detail"]) == ("timeout", "idle")
    assert record.fields["client"] == f"{LOCAL}:{port_of(client)}"
    assert record.fields["endpoint"] == f"{LOCAL}:{port_of(service)}"
    assert (record.fields["to_upstream"], record.fields["to_client"]) == (8, 6)
    assert record.fields["seconds"] >= 0.2
    assert exchange(client, port, service) != before


def test_a_flow_in_use_does_not_end(relay, peers):
    service, port = peers.datagrams(), free_port()
    relay.add(udp(port, port_of(service), idle=0.3))
    busy, silent = peers.datagrams(), peers.datagrams()
    exchange(silent, port, service)
    flows = {exchange(busy, port, service)}

    def only_busy_is_left():
        flows.add(exchange(busy, port, service))
        return relay.status().open == 1

    until(only_busy_is_left)
    assert len(flows) == 1


def test_a_range_of_ports_is_mapped_one_to_one(relay, peers):
    first, behind = free_port(3), free_port(3)
    services = [peers.datagrams(LOCAL, behind + i) for i in range(3)]
    relay.add(udp(Inet("", first, first + 2), Endpoint(Inet(LOCAL, behind, behind + 2), Proto.UDP)))
    for i, service in enumerate(services):
        exchange(peers.datagrams(), first + i, service)


def test_a_removed_route_releases_its_port_and_the_next_may_have_it(relay, peers):
    old, new, port = peers.datagrams(), peers.datagrams(), free_port()
    first, second = udp(port, port_of(old)), udp(port, port_of(new), name="other")
    relay.add(first)
    client = peers.datagrams()
    exchange(client, port, old)
    relay.remove(first)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", port))
    relay.add(second)
    exchange(client, port, new)
    assert relay.resolver.watched == {LOCAL}


def test_drain_forwards_what_has_arrived_and_does_not_wait_for_silent_flows(relay, peers):
    service, port = peers.datagrams(), free_port()
    relay.add(udp(port, port_of(service)))
    exchange(peers.datagrams(), port, service)
    late = peers.datagrams()

    async def send_then_drain():
        late.sendto(b"late", (LOCAL, port))
        return await relay.plane.drain(20)

    assert relay.do(send_then_drain(), within=5) == 0
    assert service.recv(10) == b"late"
    assert relay.status().open == 0


def test_ten_thousand_datagrams_pass_between_two_that_wait_for_each_other(relay, peers):
    service, port = peers.datagrams(), free_port()
    relay.add(udp(port, port_of(service)))
    client = peers.datagrams()
    for start in range(0, 10_000, 50):
        for i in range(start, start + 50):
            client.sendto(i.to_bytes(4), (LOCAL, port))
        for i in range(start, start + 50):
            data, flow = service.recvfrom(10)
            assert data == i.to_bytes(4)
            service.sendto(data, flow)
        assert [client.recv(10) for _ in range(50)] == [
            i.to_bytes(4) for i in range(start, start + 50)
        ]


def test_a_flood_of_datagrams_leaves_each_turn_of_the_loop_to_others(relay, peers):
    sink, port = peers.datagrams(), free_port()
    relay.add(udp(port, port_of(sink)))
    client = peers.datagrams()

    async def flood():
        taken = []
        for _ in range(300):
            client.sendto(b"x", (LOCAL, port))
        while not taken or taken[-1] < 300:
            await asyncio.sleep(0)
            taken.append(relay.plane.status()[0].to_upstream)
        return [after - before for before, after in pairwise((0, *taken))]

    turns = relay.do(flood())
    assert 1 < max(turns) <= 64  # a millisecond, if that is over first
