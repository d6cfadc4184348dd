"""Where the flows of a UDP route go, and when they move."""

from __future__ import annotations

import logging

import pytest

from ambassador.model import Endpoint, Inet, Proto
from tests.names import StaticResolver
from tests.ports import free_port
from tests.relay.asking import LOCAL, exchange, udp
from tests.relay.peers import port_of
from tests.wait import until


def test_the_first_datagrams_wait_in_order_while_the_name_is_asked_for(start_relay, peers):
    relay = start_relay(resolver=StaticResolver(db=[LOCAL]))
    service, port = peers.datagrams(), free_port()
    speak = relay.call(relay.resolver.silence, "db")
    relay.add(udp(port, f"db:{port_of(service)}"))
    client = peers.datagrams()
    for i in range(20):
        client.sendto(b"%d" % i, (LOCAL, port))
    until(lambda: relay.status().to_upstream == 30)
    relay.call(speak)
    kept = [service.recv(100) for _ in range(16)]
    assert kept == [b"%d" % i for i in range(16)]  # 16 are kept, later ones dropped
    exchange(client, port, service)


def test_a_flow_whose_name_never_resolves_is_refused_and_tried_anew(start_relay, peers, caplog):
    relay = start_relay(resolver=StaticResolver())
    service, port = peers.datagrams(), free_port()
    relay.add(udp(port, f"db:{port_of(service)}"))
    client = peers.datagrams()
    client.sendto(b"early", (LOCAL, port))
    until(lambda: relay.status().refused == 1)
    assert relay.status().open == 0
    assert "demo  cannot reach udp://db" in caplog.text
    relay.call(relay.resolver.answer, "db", LOCAL)
    exchange(client, port, service)


def test_flows_move_at_once_when_the_name_gets_another_address(start_relay, peers):
    relay = start_relay(resolver=StaticResolver(db=[LOCAL]))
    port = free_port()
    here = peers.datagrams()
    there = peers.datagrams("127.0.0.2", port_of(here))
    relay.add(udp(port, f"db:{port_of(here)}"))
    client = peers.datagrams()
    exchange(client, port, here)
    relay.call(relay.resolver.answer, "db", "127.0.0.2")
    exchange(client, port, there)
    status = relay.status()
    assert (status.opened, status.open) == (1, 1)


def test_a_flow_stays_when_its_address_is_still_among_the_answers(start_relay, peers):
    relay = start_relay(resolver=StaticResolver(db=[LOCAL]))
    service, port = peers.datagrams(), free_port()
    relay.add(udp(port, f"db:{port_of(service)}"))
    client = peers.datagrams()
    flow = exchange(client, port, service)
    relay.call(relay.resolver.answer, "db", "127.0.0.2", LOCAL)
    assert exchange(client, port, service) == flow


def test_flows_move_at_once_when_the_route_is_changed_and_stay_when_they_may(relay, peers):
    old, new, port = peers.datagrams(), peers.datagrams(), free_port()
    before = udp(port, port_of(old))
    relay.add(before)
    client = peers.datagrams()
    flow = exchange(client, port, old)
    heavier = udp(port, Endpoint(Inet(LOCAL, port_of(old)), Proto.UDP, weight=3), idle=30)
    relay.change(before, heavier)
    assert exchange(client, port, old) == flow
    relay.change(heavier, udp(port, port_of(new)))
    exchange(client, port, new)
    assert relay.status().opened == 1


def test_a_refused_flow_goes_to_another_endpoint_with_its_next_datagram(relay, peers, caplog):
    service, port, nobody = peers.datagrams(), free_port(), free_port()
    relay.add(udp(port, nobody, port_of(service), pick="first"))
    client = peers.datagrams()

    def arrives():
        client.sendto(b"question", (LOCAL, port))
        service.settimeout(0.05)
        try:
            return service.recvfrom(100)[1]
        except TimeoutError:
            return None

    flow = until(arrives)
    service.sendto(b"answer", flow)
    assert client.recv(100) == b"answer"
    assert f"demo  cannot reach udp://127.0.0.1:{nobody}: " in caplog.text
    assert "connection refused" in caplog.text
    assert relay.resolver.doubted


def test_an_endpoint_that_comes_back_is_used_again_by_the_same_flow(relay, peers, caplog):
    caplog.set_level(logging.INFO, "ambassador")
    port, away = free_port(), free_port()
    relay.add(udp(port, away))
    client = peers.datagrams()
    client.sendto(b"lost", (LOCAL, port))
    until(lambda: "cannot reach" in caplog.text)
    service = peers.datagrams(LOCAL, away)
    exchange(client, port, service)
    assert relay.status().opened == 1
    until(lambda: "reaches udp://" in caplog.text)


def test_an_endpoint_that_was_away_sees_the_same_client_again(relay, peers, caplog):
    service, port = peers.datagrams(), free_port()
    where = port_of(service)
    relay.add(udp(port, where))
    client = peers.datagrams()
    flow = exchange(client, port, service)
    service.close()
    client.sendto(b"lost", (LOCAL, port))
    until(lambda: "cannot reach" in caplog.text)
    assert exchange(client, port, peers.datagrams(LOCAL, where)) == flow


def test_of_a_burst_that_is_refused_only_the_first_datagram_is_lost(relay, peers):
    service, port = peers.datagrams(), free_port()
    relay.add(udp(port, free_port(), port_of(service), pick="first"))
    client = peers.datagrams()

    def burst():  # on the loop's thread, so that they are read in one go
        for number in range(10):
            client.sendto(b"%d" % number, (LOCAL, port))

    relay.call(burst)
    assert [service.recv(10) for _ in range(9)] == [b"%d" % i for i in range(1, 10)]


def test_no_datagram_sent_after_the_refusal_is_lost(relay, peers, caplog):
    port, away = free_port(), free_port()
    relay.add(udp(port, away))
    client = peers.datagrams()
    client.sendto(b"lost", (LOCAL, port))
    until(lambda: "cannot reach" in caplog.text)
    service = peers.datagrams(LOCAL, away)
    for i in range(10):
        client.sendto(b"%d" % i, (LOCAL, port))
    assert [service.recv(10) for _ in range(10)] == [b"%d" % i for i in range(10)]


def test_another_address_of_the_name_is_tried_when_one_refuses(start_relay, peers):
    relay = start_relay(resolver=StaticResolver(db=["127.0.0.2", LOCAL]))
    service, port = peers.datagrams(), free_port()
    relay.add(udp(port, f"db:{port_of(service)}"))
    client = peers.datagrams()
    service.settimeout(0.05)

    def arrives():
        client.sendto(b"question", (LOCAL, port))
        try:
            return service.recv(100)
        except TimeoutError:
            return None

    assert until(arrives) == b"question"


def test_endpoints_share_the_flows(relay, peers):
    services, port = [peers.datagrams() for _ in range(3)], free_port()
    relay.add(
        udp(
            port,
            Endpoint(Inet(LOCAL, port_of(services[0])), Proto.UDP, weight=2),
            Endpoint(Inet(LOCAL, port_of(services[1])), Proto.UDP),
            Endpoint(Inet(LOCAL, port_of(services[2])), Proto.UDP, backup=True),
        )
    )
    for _ in range(6):
        peers.datagrams().sendto(b"x", (LOCAL, port))
    until(lambda: relay.status().opened == 6)
    for service, share in zip(services[:2], (4, 2), strict=True):
        assert [service.recv(10) for _ in range(share)] == [b"x"] * share
    services[2].setblocking(False)
    with pytest.raises(BlockingIOError):
        services[2].recv(10)


def test_an_endpoint_that_is_the_listener_itself_is_refused_with_a_reason(relay, peers, caplog):
    port = free_port()
    relay.add(udp(port, port))
    peers.datagrams().sendto(b"round", (LOCAL, port))
    until(lambda: relay.status().refused == 1)
    assert "this endpoint is the ambassador itself" in caplog.text
    assert relay.status().opened == 1


def test_a_route_that_changes_while_its_name_is_asked_for_is_obeyed(start_relay, peers):
    relay = start_relay()
    service, port = peers.datagrams(), free_port()
    speak = relay.call(relay.resolver.silence, "gone")
    before = udp(port, "gone:53")
    relay.add(before)
    client = peers.datagrams()
    client.sendto(b"early", (LOCAL, port))
    until(lambda: "gone" in relay.resolver.asked)
    relay.change(before, udp(port, port_of(service)))
    relay.call(speak)  # and it has no address
    assert service.recv(10) == b"early"
    assert relay.status().refused == 0


def test_a_name_that_changes_while_it_is_asked_for_is_asked_for_again(start_relay, peers):
    relay = start_relay(resolver=StaticResolver(db=["127.0.0.2"]))
    service, port = peers.datagrams(), free_port()
    speak = relay.call(relay.resolver.silence, "db")
    relay.add(udp(port, f"db:{port_of(service)}"))
    client = peers.datagrams()
    client.sendto(b"early", (LOCAL, port))
    until(lambda: "db" in relay.resolver.asked)
    relay.call(relay.resolver.answer, "db", LOCAL)
    relay.call(speak)
    assert service.recv(10) == b"early"


def test_the_next_endpoint_is_asked_for_when_a_name_has_no_address(start_relay, peers, caplog):
    relay = start_relay(resolver=StaticResolver(db=[LOCAL]))
    service, port = peers.datagrams(), free_port()
    relay.add(udp(port, "none:53", f"db:{port_of(service)}", pick="first"))
    client = peers.datagrams()
    exchange(client, port, service)
    assert "cannot reach udp://none:53: none has no address" in caplog.text
    assert relay.status().refused == 0


def test_a_flow_of_a_silent_name_ends_when_it_is_idle(start_relay, peers, caplog):
    caplog.set_level("DEBUG", "ambassador")
    relay = start_relay()
    speak = relay.call(relay.resolver.silence, "db")
    port = free_port()
    relay.add(udp(port, "db:53", idle=0.1))
    peers.datagrams().sendto(b"early", (LOCAL, port))
    until(lambda: relay.status().opened == 1 and relay.status().open == 0)
    assert relay.tasks() == set()
    relay.call(speak)
    (ended,) = [r.fields for r in caplog.records if getattr(r, "event", "") == "session_closed"]
    assert (ended["endpoint"], ended["detail"]) == (None, "idle")
