"""After many sessions of every kind nothing is left: no descriptor, task, watch or count."""

from __future__ import annotations

import gc
import socket

from ambassador.model import Proto
from ambassador.planes.relay.live import LiveRoute
from tests.ports import free_port
from tests.relay.peers import is_reset, port_of, read_all, read_exactly, reset
from tests.relay.running import descriptors, route
from tests.wait import until


def test_two_hundred_mixed_sessions_leave_nothing(relay, peers, tmp_path):
    listening, service = peers.listen(), peers.datagrams()
    front, flow, dead = free_port(), free_port(), free_port()
    relay.add(
        route(front, port_of(listening)),
        route(str(tmp_path / "out"), port_of(listening), name="unix"),
        route(flow, port_of(service), proto=Proto.UDP, name="flow", idle=0.2),
        route(dead, free_port(), name="dead", connect=0.2),
    )

    def whole(client, upstream):
        client.sendall(b"question")
        assert read_exactly(upstream, 8) == b"question"
        client.shutdown(socket.SHUT_WR)
        upstream.sendall(b"answer")
        upstream.close()
        assert read_all(client) == b"answer"

    def client_resets(client, upstream):
        reset(client)
        assert is_reset(upstream)

    def upstream_resets(client, upstream):
        client.sendall(b"question")
        assert read_exactly(upstream, 8) == b"question"
        upstream.sendall(b"half an ans")
        reset(upstream)
        assert client.family == socket.AF_UNIX or is_reset(client)

    def half_closed_then_reset(client, upstream):
        client.shutdown(socket.SHUT_WR)
        assert read_all(upstream) == b""
        reset(upstream)
        assert is_reset(client)

    def silent(client, upstream):
        client.close()
        assert read_all(upstream) == b""

    endings = (whole, client_resets, upstream_resets, half_closed_then_reset, silent)

    def sessions(rounds):
        for number in range(rounds):
            unix = number % 4 == 3 and number % 5 in {0, 4}  # unix sockets know no linger
            client = peers.connect(str(tmp_path / "out") if unix else front)
            upstream = peers.accept(listening)
            endings[number % 5](client, upstream)
            client.close()
            upstream.close()
        for _ in range(rounds // 10):
            with peers.datagrams() as client:
                client.sendto(b"question", ("127.0.0.1", flow))
                assert service.recv(10) == b"question"
            with peers.connect(dead) as client:
                reset(client)
        until(lambda: all(status.open == 0 for status in relay.call(relay.plane.status)))

    def settled():
        gc.collect()
        return descriptors()

    sessions(20)  # the event loop keeps one spare descriptor from its first stream on
    before = settled()
    sessions(200)
    until(lambda: settled() <= before)
    assert relay.tasks() == set()
    # the listeners of TCP, UDP and unix, and the channels to the workers
    watched = 4 + len(relay.plane.offload.workers)
    assert relay.call(lambda: len(relay.plane._around.poller)) == watched
    assert relay.call(lambda: [len(kept) for kept in _kept(relay)]) == [0] * 3
    assert relay.status().opened == 220 - relay.status("unix").opened


def _kept(relay):
    for relay_route in relay.plane._routes.values():
        for listener in relay_route.listeners:
            if hasattr(listener, "cut"):
                yield listener.sessions


def test_routes_that_come_and_go_leave_nothing(relay, peers, tmp_path):
    echo, before = peers.echo(), descriptors()
    for _ in range(20):
        routes = (
            route(free_port(), echo.port),
            route(str(tmp_path / "out"), echo.port, name="unix"),
            route(free_port(), echo.port, proto=Proto.UDP, name="flow"),
        )
        relay.add(*routes)
        relay.remove(*routes)
    until(lambda: descriptors() <= before)
    assert relay.resolver.watched == set()
    assert relay.call(lambda: relay.plane._leaving) == []


def test_a_route_that_has_left_is_freed_without_the_collector(relay, peers):
    # What is made in bulk is frozen (garbage.py), and a cycle that is frozen is never found.
    listening = peers.listen()
    one, datagrams = route(free_port(), port_of(listening)), free_port()
    other = route(datagrams, port_of(peers.datagrams()), proto=Proto.UDP, name="flow")
    gc.collect()
    gc.disable()
    try:
        relay.add(one, other)
        client = peers.connect(one.listen.port)
        peers.accept(listening).close()
        assert read_all(client) == b""
        client.close()
        until(lambda: not relay.status().open)
        relay.remove(one, other)
        # Doors of workers keep the last they had, a thousand at most, until they are another's.
        kept = {id(one.listener.live) for one in relay.plane._doors._open.values()}
        until(lambda: not {id(it) for it in gc.get_objects() if isinstance(it, LiveRoute)} - kept)
    finally:
        gc.enable()
