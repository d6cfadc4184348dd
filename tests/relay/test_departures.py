"""An endpoint leaves its route: what becomes of the sessions that lead to it."""

from __future__ import annotations

import time

import pytest

from ambassador.model import Existing, Fate
from tests.ports import free_port
from tests.relay.peers import is_reset, port_of, read_exactly
from tests.relay.running import route
from tests.wait import until

KEEP = Existing()
CUT = Existing(Fate.CUT)
DRAIN = Existing(Fate.DRAIN, seconds=1.0)
SLOWLY = Existing(Fate.CUT, rate=20)


class Scene:
    """A route to a name, or to an address, that can be given another one."""

    def __init__(self, relay, peers, cause, existing, **options):
        self.relay, self.peers, self.cause = relay, peers, cause
        self.front, port = free_port(), free_port()
        self.old, self.new = peers.listen("127.0.0.1", port), peers.listen("127.0.0.9", port)
        host = "127.0.0.1"
        if cause == "name":
            host = "db"
            relay.resolver.answer("db", "127.0.0.1")
        self.route = route(self.front, f"{host}:{port}", existing=existing, **options)
        self.changed = route(self.front, f"127.0.0.9:{port}", existing=existing, **options)
        relay.add(self.route)

    def move(self):
        if self.cause == "name":
            self.relay.call(self.relay.resolver.answer, "db", "127.0.0.9")
        elif self.cause == "change":
            self.relay.change(self.route, self.changed)
        else:
            self.relay.remove(self.route)

    def back(self):
        if self.cause == "name":
            self.relay.call(self.relay.resolver.answer, "db", "127.0.0.9", "127.0.0.1")
        else:
            self.relay.change(self.changed, self.route)

    def open(self):
        client = self.peers.connect(self.front)
        upstream = self.peers.accept(self.old)
        works(client, upstream)  # else the relay may be just about to see that it is connected
        return client, upstream


def works(client, upstream):
    client.sendall(b"ping")
    assert read_exactly(upstream, 4) == b"ping"
    upstream.sendall(b"pong")
    assert read_exactly(client, 4) == b"pong"


@pytest.fixture(params=["name", "change", "remove"])
def cause(request):
    return request.param


def test_kept_sessions_go_on(relay, peers, cause):
    scene = Scene(relay, peers, cause, KEEP)
    session = scene.open()
    scene.move()
    for _ in range(20):
        works(*session)
    if cause != "remove":
        peers.connect(scene.front)
        peers.accept(scene.new)


def test_a_cut_is_learnt_by_both_sides_at_once(relay, peers, cause):
    scene = Scene(relay, peers, cause, CUT)
    sessions = [scene.open() for _ in range(20)]
    began = time.monotonic()
    scene.move()
    assert all(is_reset(sock) for session in sessions for sock in session)
    assert time.monotonic() - began < 1.0
    assert relay.tasks() == set()


@pytest.mark.alone
def test_a_drain_cuts_what_is_left_within_its_time(relay, peers, cause):
    scene = Scene(relay, peers, cause, DRAIN)
    sessions = [scene.open() for _ in range(20)]
    done, done_upstream = sessions.pop()
    began = time.monotonic()
    scene.move()
    works(done, done_upstream)
    done.close()
    assert done_upstream.recv(1) == b""
    for session in sessions:
        works(*session)
    ended = []
    for client, _ in sessions:
        assert is_reset(client)
        ended.append(time.monotonic() - began)
    assert min(ended) > 0.7
    assert max(ended) < 1.3


def test_a_rate_is_kept_and_comes_to_an_end(relay, peers, cause):
    scene = Scene(relay, peers, cause, SLOWLY)
    sessions = [scene.open() for _ in range(21)]
    began = time.monotonic()
    scene.move()
    assert all(is_reset(client) for client, _ in sessions)
    assert 1.0 <= time.monotonic() - began < 2.0


def test_an_address_that_stays_keeps_its_sessions(relay, peers):
    relay.resolver.answer("db", "127.0.0.1")
    front, port = free_port(), free_port()
    listening, other = peers.listen("127.0.0.1", port), peers.listen("127.0.0.9", port)
    by_name = route(front, f"db:{port}", existing=CUT)
    by_address = route(front, f"127.0.0.1:{port}", f"127.0.0.9:{port}", existing=CUT)
    relay.add(by_name)
    client = peers.connect(front)
    upstream = peers.accept(listening)
    relay.change(by_name, by_address)
    relay.change(by_address, route(front, f"127.0.0.9:{port}", existing=KEEP))
    works(client, upstream)
    peers.connect(front)
    peers.accept(other)


@pytest.mark.parametrize("cause", ["name", "change"])
def test_an_address_that_comes_back_in_time_spares_its_sessions(relay, peers, cause):
    scene = Scene(relay, peers, cause, DRAIN)
    session = scene.open()
    scene.move()
    until(lambda: any(name.startswith("departures of") for name in relay.tasks()))
    scene.back()
    until(lambda: not relay.tasks())
    works(*session)


def test_another_name_is_waited_for_before_anything_is_cut(relay, peers):
    front, port = free_port(), free_port()
    listening = peers.listen("127.0.0.1", port)
    old = route(front, f"127.0.0.1:{port}", existing=CUT)
    relay.add(old)
    client = peers.connect(front)
    upstream = peers.accept(listening)
    relay.change(old, route(front, f"later:{port}", existing=CUT))
    until(lambda: not relay.tasks())
    works(client, upstream)
    relay.call(relay.resolver.answer, "later", "127.0.0.9")
    assert is_reset(client)


@pytest.mark.parametrize("cause", ["name", "change"])
def test_a_client_that_waits_for_the_old_endpoint_follows_at_once(relay, peers, cause):
    scene = Scene(relay, peers, cause, KEEP, connect=30.0)
    scene.old.close()
    client = peers.connect(scene.front)
    until(lambda: relay.status().open == 1)
    scene.move()
    works(client, peers.accept(scene.new))


def test_a_removed_route_ends_its_waiting_clients_too(relay, peers):
    scene = Scene(relay, peers, "remove", CUT, connect=30.0)
    scene.old.close()
    client = peers.connect(scene.front)
    until(lambda: relay.status().open == 1)
    scene.move()
    assert is_reset(client)


def test_sessions_of_other_routes_and_endpoints_are_left_alone(relay, peers):
    scene = Scene(relay, peers, "change", CUT)
    other = free_port()
    relay.add(route(other, port_of(scene.old), name="other", existing=CUT))
    ended = scene.open()
    bystander = peers.connect(other), peers.accept(scene.old)
    scene.move()
    assert is_reset(ended[0])
    works(*bystander)
