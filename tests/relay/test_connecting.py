"""While the upstream is not there: who waits how long, and what the client is told."""

from __future__ import annotations

import logging
import socket
import time

import pytest

from ambassador.model import Endpoint, Inet, Unix
from tests.names import StaticResolver
from tests.ports import free_port
from tests.relay.peers import is_reset, port_of, read_all, read_exactly, reset
from tests.relay.running import descriptors, route
from tests.wait import until


def test_a_client_of_an_endpoint_that_is_away_waits_and_is_served_when_it_comes(
    relay, peers, caplog
):
    caplog.set_level(logging.INFO, "ambassador")
    port, away = free_port(), free_port()
    relay.add(route(port, away, connect=8.0))
    client = peers.connect(port)
    client.sendall(b"question")
    until(lambda: "cannot reach" in caplog.text)
    listening = peers.listen(port=away)
    assert read_exactly(peers.accept(listening), 8) == b"question"
    said = [record.event for record in caplog.records if hasattr(record, "event")]
    assert said == ["endpoint_unreachable", "endpoint_reachable"]
    assert f"demo  cannot reach tcp://127.0.0.1:{away}: " in caplog.text
    assert f"demo  reaches tcp://127.0.0.1:{away} again" in caplog.text
    assert relay.status().refused == 0


def test_an_endpoint_that_stays_away_is_a_reset_after_connect(relay, peers, caplog):
    caplog.set_level(logging.DEBUG, "ambassador")
    port, away = free_port(), free_port()
    relay.add(route(port, away, connect=0.5))
    began = time.monotonic()
    client = peers.connect(port)
    assert is_reset(client)
    assert 0.5 <= time.monotonic() - began < 1.5
    until(lambda: relay.status().open == 0)
    assert relay.status().refused == 1
    (ended,) = [r for r in caplog.records if getattr(r, "event", "") == "session_closed"]
    assert ended.fields["reason"] == "unreachable"
    assert ended.fields["detail"] == f"127.0.0.1:{away}: connection refused"
    assert ended.fields["endpoint"] is None


def test_a_silent_endpoint_is_given_up_within_connect(relay, peers, caplog):
    full = peers.listen(backlog=0)
    for _ in range(2):  # a full backlog: further SYNs are dropped (listen(2))
        filler = peers.keep(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
    port = free_port()
    relay.add(route(port, port_of(full), connect=0.8))
    began = time.monotonic()
    assert is_reset(peers.connect(port))
    assert 0.8 <= time.monotonic() - began < 2
    assert f"127.0.0.1:{port_of(full)}: it does not answer" in caplog.text


def test_a_silent_endpoint_leaves_time_for_the_next(relay, peers):
    full = peers.listen(backlog=0)
    for _ in range(2):
        filler = peers.keep(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
    echo, port = peers.echo(), free_port()
    relay.add(route(port, port_of(full), echo.port, pick="first", connect=2.0))
    client = peers.connect(port)
    client.sendall(b"question")
    assert read_exactly(client, 8) == b"question"


def test_an_endpoint_that_resets_at_once_is_tried_again(relay, peers, caplog, monkeypatch):
    """Docker's proxy does this while the program in the container does not listen yet."""
    port, listening, resets = free_port(), peers.listen(), []
    ports = relay.plane._around.ports
    connect = ports.connect

    def connect_and_reset(*where, **options):
        sock = connect(*where, **options)
        if len(resets) < 3:
            resets.append(reset(listening.accept()[0]))
        return sock

    monkeypatch.setattr(ports, "connect", connect_and_reset)
    relay.add(route(port, port_of(listening), connect=8.0))
    client = peers.connect(port)
    client.sendall(b"question")
    until(lambda: len(resets) == 3)
    assert read_exactly(peers.accept(listening), 8) == b"question"
    assert "connection reset by peer" in caplog.text


def test_a_name_without_address_is_a_reset_after_connect_and_says_which(relay, peers, caplog):
    port = free_port()
    relay.add(route(port, "db:5432", connect=0.4))
    assert is_reset(peers.connect(port))
    assert "demo  cannot reach tcp://db:5432: db has no address" in caplog.text
    assert relay.status().refused == 1


def test_a_name_that_gets_its_address_while_the_client_waits_is_served(start_relay, peers):
    relay = start_relay(resolver=StaticResolver())
    echo, port = peers.echo(), free_port()
    relay.add(route(port, f"db:{echo.port}", connect=8.0))
    client = peers.connect(port)
    until(lambda: len(relay.resolver.asked) > 1)
    relay.call(relay.resolver.answer, "db", "127.0.0.1")
    client.sendall(b"question")
    assert read_exactly(client, 8) == b"question"


def test_a_name_that_is_never_answered_costs_connect_and_no_more(start_relay, peers):
    relay = start_relay(resolver=StaticResolver(db=["127.0.0.1"]))
    relay.call(relay.resolver.silence, "db")
    port = free_port()
    relay.add(route(port, "db:5432", connect=0.4))
    began = time.monotonic()
    assert is_reset(peers.connect(port))
    assert 0.4 <= time.monotonic() - began < 1.5


def test_a_failed_connection_makes_the_name_doubtful_and_the_new_address_is_used(
    start_relay, peers
):
    relay = start_relay(resolver=StaticResolver(db=["127.0.0.1"]))
    port, behind = free_port(), free_port()
    relay.add(route(port, f"db:{behind}", connect=8.0))
    client = peers.connect(port)
    until(lambda: "db" in relay.resolver.doubted)
    listening = peers.listen("127.0.0.2", behind)
    relay.call(relay.resolver.answer, "db", "127.0.0.2")
    assert peers.accept(listening).getpeername()[0]
    client.close()


def test_every_address_of_a_name_is_tried(start_relay, peers):
    relay = start_relay(resolver=StaticResolver(db=["127.0.0.2", "::1", "127.0.0.1"]))
    echo, port = peers.echo(), free_port()
    relay.add(route(port, f"db:{echo.port}"))
    client = peers.connect(port)
    client.sendall(b"question")
    assert read_exactly(client, 8) == b"question"


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_client_that_leaves_while_it_waits_leaves_nothing(relay, peers, how):
    port, away = free_port(), free_port()
    relay.add(route(port, away, connect=2.0))
    client = peers.connect(port)
    until(lambda: relay.status().open == 1)
    before = relay.tasks()
    assert len(before) == 1
    if how == "reset":
        reset(client)
        until(lambda: relay.status().open == 0, within=1.5)
        listening = peers.listen(port=away)
        listening.settimeout(0.7)  # longer than the longest wait between two attempts
        with pytest.raises(TimeoutError):
            listening.accept()
    else:  # an end: it may have sent something and still listen
        client.close()
        upstream = peers.accept(peers.listen(port=away))
        assert read_all(upstream) == b""
        upstream.close()
    until(lambda: relay.status().open == 0)
    assert relay.tasks() == set()
    assert relay.status().refused == 0


def test_a_hundred_clients_that_reset_while_they_wait_leave_no_descriptor(relay, peers):
    port, away = free_port(), free_port()
    relay.add(route(port, away, connect=20.0))
    until(lambda: relay.status().open == 0)
    before = descriptors()
    clients = [peers.connect(port) for _ in range(100)]
    until(lambda: relay.status().open == 100)
    for client in clients:
        reset(client)
    until(lambda: relay.status().open == 0)
    until(lambda: descriptors() <= before)
    assert relay.tasks() == set()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "0.0.0.0"])
def test_an_endpoint_that_is_the_listener_itself_is_refused_with_a_reason(
    relay, peers, caplog, host
):
    port = free_port()
    relay.add(route(port, Endpoint(Inet(host, port)), connect=0.3))
    assert is_reset(peers.connect(port))
    assert "this endpoint is the ambassador itself" in caplog.text
    assert relay.status().opened == 1


def test_a_round_through_two_routes_is_refused_too(relay, peers, caplog):
    one, two = free_port(), free_port()
    relay.add(route(one, two, connect=0.3), route(two, one, name="other", connect=0.3))
    assert is_reset(peers.connect(one))
    assert "this endpoint is the ambassador itself" in caplog.text


def test_a_unix_endpoint_that_is_the_listener_itself_is_refused_too(relay, peers, caplog, tmp_path):
    path = str(tmp_path / "round")
    relay.add(route(path, Endpoint(Unix(path)), connect=0.3))
    assert peers.connect(path).recv(1) == b""  # unix sockets know no reset
    assert "this endpoint is the ambassador itself" in caplog.text
    assert relay.status().opened == 1


def test_a_unix_endpoint_that_is_away_is_waited_for(relay, peers, caplog, tmp_path):
    path, port = str(tmp_path / "in"), free_port()
    relay.add(route(port, path, connect=8.0))
    client = peers.connect(port)
    until(lambda: "no such file or directory" in caplog.text)
    echo = peers.echo(path)
    client.sendall(b"question")
    assert read_exactly(client, 8) == b"question"
    assert echo.accepted == 1


def test_a_unix_endpoint_with_a_full_backlog_is_waited_for(relay, peers, caplog, tmp_path):
    path, port = str(tmp_path / "in"), free_port()
    full = peers.listen(path, backlog=0)
    peers.connect(path)
    relay.add(route(port, path, connect=8.0))
    client = peers.connect(port)
    client.sendall(b"question")
    until(lambda: "its listen backlog is full" in caplog.text)
    peers.accept(full)  # the one that filled it
    assert read_exactly(peers.accept(full), 8) == b"question"


def test_many_who_wait_make_one_attempt_at_a_time_and_are_all_served(relay, peers, monkeypatch):
    """Not one each, again and again: that is most of a core for an endpoint that is away."""
    port, away, tried = free_port(), free_port(), []
    ports = relay.plane._around.ports
    connect = ports.connect
    monkeypatch.setattr(ports, "connect", lambda *a, **o: tried.append(a) or connect(*a, **o))
    relay.add(route(port, away, connect=20.0))
    clients = [peers.connect(port) for _ in range(200)]
    until(lambda: relay.status().open == 200)
    began, before = time.monotonic(), len(tried)
    until(lambda: len(tried) >= before + 4)
    assert len(tried) - before <= 30 * (time.monotonic() - began + 1)
    echo = peers.echo(port=away)
    for client in clients:
        client.sendall(b"question")
    assert all(read_exactly(client, 8) == b"question" for client in clients)
    assert echo.port == away


def test_who_waits_longest_is_served_first_and_who_goes_is_not_waited_for(relay, peers):
    port, away = free_port(), free_port()
    relay.add(route(port, away, connect=20.0))
    clients = []
    for number in range(4):
        clients.append(peers.connect(port))
        until(lambda number=number: relay.status().open == number + 1)
    reset(clients.pop(0))
    until(lambda: relay.status().open == 3)
    listening = peers.listen(port=away)
    clients[0].sendall(b"a")
    assert read_exactly(peers.accept(listening), 1) == b"a"


def test_a_silent_endpoint_is_overtaken_by_another_after_a_moment(relay, peers):
    full = peers.listen(backlog=0)
    for _ in range(2):
        filler = peers.keep(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
    echo, port = peers.echo(), free_port()
    relay.add(route(port, port_of(full), echo.port, pick="first", connect=8.0))
    waits = []
    for _ in range(10):
        began = time.monotonic()
        client = peers.connect(port)
        client.sendall(b"question")
        assert read_exactly(client, 8) == b"question"
        waits.append(time.monotonic() - began)
    assert waits[0] >= 0.25
    assert max(waits) < 2
    assert sum(wait > 0.2 for wait in waits) <= 2  # the first, and perhaps one trial


def test_an_error_of_ours_in_the_search_is_told_and_clients_are_served_all_the_same(
    relay, peers, monkeypatch, caplog
):
    port, away, failures = free_port(), free_port(), []
    ports = relay.plane._around.ports
    connect = ports.connect

    def connect_or_break(*where, **options):
        if len(failures) < 2:
            failures.append(where)
            raise ZeroDivisionError
        return connect(*where, **options)

    relay.add(route(port, away, connect=20.0))
    client = peers.connect(port)
    until(lambda: "cannot reach" in caplog.text)
    monkeypatch.setattr(ports, "connect", connect_or_break)
    until(lambda: len(failures) == 2)
    client.sendall(b"question")
    listening = peers.listen(port=away)
    assert read_exactly(peers.accept(listening), 8) == b"question"
    assert "ZeroDivisionError" in caplog.text
