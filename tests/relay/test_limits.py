"""Who is too many for a limit waits for a place, where the limit says so."""

from __future__ import annotations

import socket
import time

from ambassador.model import Limit, Rate, Reason
from tests.ports import free_port
from tests.relay.peers import is_reset, read_exactly
from tests.relay.running import route
from tests.wait import until


def test_who_is_too_many_waits_and_comes_in_in_order_when_a_place_is_free(relay, peers):
    echo = peers.echo()
    relay.add(route(port := free_port(), echo.port, limit=Limit(1, 20.0)))
    first = peers.connect(port)
    first.sendall(b"1")
    assert read_exactly(first, 1) == b"1"
    waiting = []
    for number in range(2, 5):
        waiting.append(peers.connect(port))
        waiting[-1].sendall(str(number).encode())
        until(lambda number=number: relay.status().held == number - 1)
    assert echo.accepted == 1
    states = [one.state for one in relay.do(relay.plane.sessions())]
    assert sorted(states) == ["held", "held", "held", "open"]
    first.close()
    for number, one in enumerate(waiting, 2):
        assert read_exactly(one, 1) == str(number).encode()
        assert relay.status().held == 4 - number
        one.close()
    until(lambda: relay.status().open == 0)
    assert relay.status().refused == 0


def test_who_has_waited_in_vain_is_refused_and_counted(relay, peers):
    echo = peers.echo()
    relay.add(route(port := free_port(), echo.port, limit=Limit(1, 0.3), ban=Rate(1, 60)))
    first = peers.connect(port)
    first.sendall(b"1")
    assert read_exactly(first, 1) == b"1"
    began = time.monotonic()
    assert is_reset(peers.connect(port))
    assert time.monotonic() - began >= 0.3
    until(lambda: relay.status().turned_away == {Reason.LIMIT: 1})
    assert (relay.status().refused, echo.accepted) == (1, 1)


def test_who_leaves_without_a_question_leaves_its_place_to_others(relay, peers):
    echo = peers.echo()
    relay.add(route(port := free_port(), echo.port, limit=Limit(1, 20.0)))
    first, second, third = (peers.connect(port) for _ in range(3))
    until(lambda: relay.status().held == 2)
    second.shutdown(socket.SHUT_WR)
    until(lambda: relay.status().held == 1)
    first.close()
    third.sendall(b"3")
    assert read_exactly(third, 1) == b"3"


def test_each_client_waits_for_its_own_sessions_only(relay, peers):
    echo = peers.echo()
    relay.add(route(port := free_port(), echo.port, limit_client=Limit(1, 20.0)))

    def come(host):
        sock = peers.keep(socket.socket())
        sock.bind((host, 0))
        sock.connect(("127.0.0.1", port))
        sock.sendall(b"x")
        return sock

    first, second = come("127.0.0.2"), come("127.0.0.3")
    assert read_exactly(first, 1) == read_exactly(second, 1) == b"x"
    again, other = come("127.0.0.2"), come("127.0.0.3")
    until(lambda: relay.status().held == 2)
    second.close()
    assert read_exactly(other, 1) == b"x"
    assert relay.status().held == 1
    first.close()
    assert read_exactly(again, 1) == b"x"


def test_new_sessions_come_at_the_rate_and_in_order(relay, peers):
    echo = peers.echo()
    relay.add(route(port := free_port(), echo.port, rate=Rate(10, 1.0, 20.0)))
    began = time.monotonic()
    clients = [peers.connect(port) for _ in range(20)]
    for one in clients:
        one.sendall(b"x")
    for one in clients:
        assert read_exactly(one, 1) == b"x"
    assert time.monotonic() - began >= 0.9
    assert relay.status().refused == 0


def test_a_limit_that_is_raised_lets_in_who_waits(relay, peers):
    echo = peers.echo()
    tight = route(port := free_port(), echo.port, limit=Limit(1, 20.0))
    relay.add(tight)
    clients = [peers.connect(port) for _ in range(30)]
    until(lambda: relay.status().held == 29)
    relay.change(tight, route(port, echo.port))
    for one in clients:
        one.sendall(b"x")
        assert read_exactly(one, 1) == b"x"


def test_who_waits_is_reset_when_the_route_goes(relay, peers):
    echo = peers.echo()
    there = route(port := free_port(), echo.port, limit=Limit(1, 20.0))
    relay.add(there)
    first, second = peers.connect(port), peers.connect(port)
    until(lambda: relay.status().held == 1)
    first.sendall(b"x")
    assert read_exactly(first, 1) == b"x"
    assert relay.drain(0.1) == 2
    assert is_reset(second)
