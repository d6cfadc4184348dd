"""Steps while traffic flows: what is open lives on, what fails leaves no trace."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute
from ambassador.errors import PlaneError
from ambassador.model import Inet, Proto
from tests.ports import free_port
from tests.relay.peers import is_reset, port_of, read_all, read_exactly
from tests.relay.running import route
from tests.wait import until


def ask(client):
    client.sendall(b"question")
    return read_exactly(client, 8) == b"question"


def refused(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


def test_a_change_in_place_is_for_new_sessions_only(relay, peers):
    old, new, port = peers.echo(), peers.echo(), free_port()
    before, after = route(port, old.port), route(port, new.port)
    relay.add(before)
    early = peers.connect(port)
    assert ask(early)
    relay.change(before, after)
    late = peers.connect(port)
    assert ask(late)
    assert ask(early)
    assert (old.open, new.open) == (1, 1)
    status = relay.status()
    assert status.route == after
    assert (status.opened, status.open, status.to_upstream) == (2, 2, 24)


def test_no_client_is_refused_while_a_route_is_changed_again_and_again(relay, peers):
    one, two, port = peers.echo(), peers.echo(), free_port()
    routes = [route(port, one.port), route(port, two.port)]
    relay.add(routes[0])
    stop = threading.Event()

    def changing():
        turn = 0
        while not stop.is_set():
            relay.change(routes[turn % 2], routes[(turn + 1) % 2])
            turn += 1

    changer = threading.Thread(target=changing)
    changer.start()
    try:
        for _ in range(200):
            with peers.connect(port) as client:
                assert ask(client)
    finally:
        stop.set()
        changer.join()
    assert one.accepted
    assert two.accepted


def test_a_client_that_waits_is_served_by_the_changed_route(relay, peers):
    port, away, echo = free_port(), free_port(), peers.echo()
    before = route(port, away, connect=8.0)
    relay.add(before)
    client = peers.connect(port)
    until(lambda: relay.status().open == 1)
    relay.change(before, route(port, echo.port, connect=8.0))
    assert ask(client)


def test_a_removed_route_lets_go_of_its_port_and_its_sessions_live_on(relay, peers):
    echo, other, port = peers.echo(), peers.echo(), free_port()
    first, second = route(port, echo.port), route(port, other.port, name="second")
    relay.add(first)
    client = peers.connect(port)
    assert ask(client)
    relay.remove(first)
    assert refused(port)
    assert relay.call(relay.plane.status) == []
    assert ask(client)
    relay.add(second)
    assert ask(peers.connect(port))
    assert (echo.open, other.open) == (1, 1)
    assert ask(client)
    assert relay.drain(0.0) == 2  # those of removed routes, too
    assert is_reset(client)


def test_clients_in_the_backlog_of_a_removed_route_are_served(relay, peers):
    echo, port = peers.echo(), free_port()
    installed = route(port, echo.port)
    relay.add(installed)
    clients = []

    def crowd_then_remove():  # on the loop's thread, so that nothing is accepted in between
        clients.extend(peers.connect(port) for _ in range(200))
        return relay.plane.apply([RemoveRoute(installed)])

    async def at_once():
        await crowd_then_remove()

    relay.do(at_once())
    assert all(ask(client) for client in clients)


def test_a_route_may_take_the_listen_address_of_another_in_one_step(relay, peers):
    old, new, port, spare = peers.echo(), peers.echo(), free_port(), free_port()
    first, second = route(port, old.port), route(spare, new.port, name="second")
    relay.add(first, second)
    taking = route(port, new.port, name="second")
    relay.apply(RemoveRoute(first), RemoveRoute(second), AddRoute(taking))
    assert ask(peers.connect(port))
    assert (old.accepted, new.accepted) == (0, 1)
    assert refused(spare)


def test_steps_are_performed_all_or_none(relay, peers):
    echo, other = peers.echo(), peers.echo()
    kept, changed, removed, taken, added = (free_port() for _ in range(5))
    blocker = peers.listen("0.0.0.0", taken)
    before = route(changed, echo.port, name="changed")
    gone = route(removed, echo.port, name="removed")
    relay.add(route(kept, echo.port, name="kept"), before, gone)
    session = peers.connect(removed)
    assert ask(session)
    with pytest.raises(PlaneError) as caught:
        relay.apply(
            RemoveRoute(gone),
            AddRoute(route(added, other.port, name="added")),
            AddRoute(route(taken, other.port, name="taken")),
            ChangeRoute(before, route(changed, other.port, name="changed")),
        )
    assert f"taken: cannot listen on :{taken} (tcp): address already in use" in str(caught.value)
    assert f"ss -lntp 'sport = :{taken}'" in str(caught.value)
    for port in (kept, changed, removed):
        assert ask(peers.connect(port))
    assert ask(session)
    assert refused(added)
    assert other.accepted == 0
    names = [status.route.name for status in relay.call(relay.plane.status)]
    assert names == ["kept", "changed", "removed"]
    blocker.close()


@pytest.mark.parametrize("proto", list(Proto))
def test_a_range_with_one_taken_port_leaves_none_bound(relay, peers, proto):
    first = free_port(5)
    if proto is Proto.TCP:
        peers.listen("0.0.0.0", first + 3)
    else:
        peers.datagrams("0.0.0.0", first + 3)
    with pytest.raises(PlaneError, match=f":{first + 3} "):
        relay.add(route(Inet("", first, first + 4), 1, proto=proto))
    kind = socket.SOCK_STREAM if proto is Proto.TCP else socket.SOCK_DGRAM
    for port in (first, first + 1, first + 2, first + 4):
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.bind(("0.0.0.0", port))


def test_drain_serves_the_backlog_waits_for_the_open_and_refuses_the_new(relay, peers):
    echo, port = peers.echo(), free_port()
    relay.add(route(port, echo.port))
    early = peers.connect(port)
    assert ask(early)
    clients = []

    async def crowd_then_drain():
        clients.extend(peers.connect(port) for _ in range(100))
        return await relay.plane.drain(20.0)

    def finish():
        until(lambda: len(clients) == 100)
        for client in (early, *clients):
            assert ask(client)
        assert refused(port)
        for client in (early, *clients):
            client.close()

    finisher = threading.Thread(target=finish)
    finisher.start()
    assert relay.do(crowd_then_drain()) == 0
    finisher.join()
    assert echo.accepted == 101


def test_drain_cuts_what_is_left_after_the_grace_and_counts_it(relay, peers, caplog):
    caplog.set_level("DEBUG", "ambassador")
    echo, port, away = peers.echo(), free_port(), free_port()
    relay.add(route(port, echo.port), route(away, free_port(), name="away", connect=30.0))
    open_ones = [peers.connect(port) for _ in range(3)]
    assert all(ask(client) for client in open_ones)
    waiting = peers.connect(away)
    until(lambda: relay.status("away").open == 1)
    assert relay.drain(0.2) == 4
    assert all(is_reset(client) for client in (*open_ones, waiting))
    until(lambda: echo.open == 0)
    assert relay.tasks() == set()
    ended = [r.fields for r in caplog.records if getattr(r, "event", "") == "session_closed"]
    assert [fields["reason"] for fields in ended] == ["shutdown"] * 4


def test_drain_without_sessions_is_done_at_once(relay, peers):
    port = free_port()
    relay.add(route(port, 1))
    assert relay.do(relay.plane.drain(3600.0), within=2.0) == 0
    assert refused(port)


def test_a_slow_reader_that_both_ended_is_waited_for_and_then_cut(relay, peers):
    listening, port = peers.listen(), free_port()
    relay.add(route(port, port_of(listening)))
    client = peers.connect(port, SO_RCVBUF=4096)
    upstream = peers.accept(listening)
    upstream.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            upstream.send(bytes(65536))
    upstream.close()
    client.shutdown(socket.SHUT_WR)
    assert relay.drain(0.3) == 1
    assert is_reset(client)


def test_after_drain_what_has_arrived_is_read_to_the_end(relay, peers):
    listening, port = peers.listen(), free_port()
    relay.add(route(port, port_of(listening)))
    client = peers.connect(port)
    upstream = peers.accept(listening)
    upstream.sendall(b"the last words")
    upstream.close()
    client.shutdown(socket.SHUT_WR)
    assert relay.drain(5.0) == 0
    assert read_all(client) == b"the last words"


@pytest.mark.alone
def test_a_route_goes_though_clients_keep_coming(relay, peers):
    echo, port = peers.echo(), free_port()
    flooded = route(port, echo.port)
    relay.add(flooded)
    over = threading.Event()

    def flood():
        while not over.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                pass

    floods = [threading.Thread(target=flood) for _ in range(4)]
    for one in floods:
        one.start()
    try:
        until(lambda: relay.status().opened > 50)
        relay.remove(flooded)
    finally:
        over.set()
        for one in floods:
            one.join(10)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
