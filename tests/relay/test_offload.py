"""Several endpoints behind one route: who gets the next session."""

from __future__ import annotations

import logging

from ambassador.model import Endpoint, Inet
from tests.ports import free_port
from tests.relay.peers import is_reset, read_exactly
from tests.relay.running import route
from tests.wait import until


def at(echo, **options):
    return Endpoint(Inet("127.0.0.1", echo.port), **options)


def speak(peers, port):
    client = peers.connect(port)
    client.sendall(b"x")
    assert read_exactly(client, 1) == b"x"
    return client


def test_sessions_go_round_by_weight(relay, peers, workers):
    one, two, port = peers.echo(), peers.echo(), free_port()
    relay.add(route(port, at(one, weight=3), at(two)))
    for _ in range(12):
        speak(peers, port)
    # Each process goes round by itself.
    assert abs(one.accepted - 9) <= (2 if workers else 0)
    assert one.accepted + two.accepted == 12


def test_least_fills_the_emptier(relay, peers):
    one, two, port = peers.echo(), peers.echo(), free_port()
    relay.add(route(port, at(one), at(two), pick="least"))
    first, _, third = [speak(peers, port) for _ in range(3)]
    assert (one.accepted, two.accepted) == (2, 1)
    for client in (first, third):
        client.close()
    until(lambda: relay.status().open == 1)
    speak(peers, port)
    assert (one.accepted, two.accepted) == (3, 1)


def test_random_reaches_all(relay, peers):
    echoes, port = [peers.echo() for _ in range(3)], free_port()
    relay.add(route(port, *map(at, echoes), pick="random"))

    def all_reached():
        speak(peers, port).close()
        return all(echo.accepted for echo in echoes)

    until(all_reached)


def test_a_backup_serves_only_while_the_others_are_away(relay, peers, monkeypatch):
    for module in ("choice", "doubts"):
        monkeypatch.setattr(f"ambassador.planes.relay.{module}.DOUBT", 0.5)
    backup, port, away = peers.echo(), free_port(), free_port()
    relay.add(route(port, at(backup, backup=True), away))
    for _ in range(3):
        speak(peers, port)
    assert backup.accepted == 3
    back = peers.echo(port=away)

    def back_is_used():
        speak(peers, port).close()
        return back.accepted

    until(back_is_used)
    served = backup.accepted
    speak(peers, port)
    assert backup.accepted == served


def test_a_dead_endpoint_costs_clients_nothing_and_is_said_once(relay, peers, caplog):
    echo, port, dead = peers.echo(), free_port(), free_port()
    relay.add(route(port, dead, at(echo)))
    for _ in range(10):
        speak(peers, port)
    assert echo.accepted == 10
    said = [r for r in caplog.records if getattr(r, "event", "") == "endpoint_unreachable"]
    assert len(said) == 1
    assert relay.status().refused == 0


def test_when_all_are_dead_the_client_waits_for_any(relay, peers, caplog):
    port, one, two = free_port(), free_port(), free_port()
    relay.add(route(port, one, two, connect=8.0))
    client = peers.connect(port)
    client.sendall(b"x")
    until(lambda: caplog.text.count("cannot reach") == 2)
    peers.echo(port=two)
    assert read_exactly(client, 1) == b"x"


def test_when_all_stay_dead_the_client_is_reset(relay, peers):
    port = free_port()
    relay.add(route(port, free_port(), free_port(), connect=0.3))
    assert is_reset(peers.connect(port))
    assert relay.status().refused == 1


def test_a_recovered_endpoint_is_said_once(relay, peers, caplog):
    caplog.set_level(logging.INFO, "ambassador")
    port, away = free_port(), free_port()
    relay.add(route(port, away, connect=8.0))
    waiting = [peers.connect(port) for _ in range(20)]
    until(lambda: "cannot reach" in caplog.text)
    peers.echo(port=away)
    for client in waiting:
        client.sendall(b"x")
        assert read_exactly(client, 1) == b"x"
    assert caplog.text.count("cannot reach") == 1
    assert caplog.text.count("again") == 1
