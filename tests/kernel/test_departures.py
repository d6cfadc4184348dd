"""Flows of an endpoint that left are ended as the policy says, and nothing else is disturbed."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time

import pytest
import uvloop

from ambassador.core.departure import Departure
from ambassador.model import Endpoint, Existing, Fate, Inet, Proto, Reason, Route
from ambassador.planes.kernel import departures
from ambassador.planes.kernel.conntrack import Conntrack
from ambassador.planes.kernel.departures import Departures
from ambassador.planes.kernel.entry import FlowState
from ambassador.planes.kernel.poke import Poker
from tests.kernel.forwarding import forward
from tests.kernel.peers import listen, open_flows, times_of_resets, udp
from tests.loops import LoopThread
from tests.wait import until

OLD, NEW = "10.77.0.4", "10.77.0.5"
OLD6, NEW6 = "fd77::4", "fd77::5"
TO_OLD = (("tcp", 6379, OLD, 7000), ("tcp", 6379, OLD6, 7000))
TO_NEW = (("tcp", 6379, NEW, 7000), ("tcp", 6379, NEW6, 7000))
GONE = {(OLD, 7000), (OLD6, 7000)}
ROUTE = Route("redis", Inet("", 6379), (Endpoint(Inet("db", 7000)),))
CUT = Existing(Fate.CUT)
# Seconds: a cut is told at once, or when it is repeated for the last time after 1.2 s; the rest is
# for a machine that is busy. Whoever is not told learns of nothing for minutes.
SOON = 5.0
IPV6 = socket.AF_INET6


def why(existing):
    return Departure(Reason.MOVED, existing)


class Scene:
    """A route whose endpoint moves from old to new, in the kernel."""

    def __init__(self, network):
        self.network = network
        self.loop = LoopThread(network.ambassador, uvloop.new_event_loop)
        self.conntrack, self.poker = Conntrack(), Poker()
        self.loop.call(self.conntrack.open)
        self.loop.call(self.poker.open)
        self.departures = Departures(self.conntrack, self.poker)
        forward(network, *TO_OLD)
        self.relay = listen(network.ambassador, 6379)  # it always listens behind the kernel
        self.old, self.new = listen(network.old, 7000), listen(network.new, 7000)
        self._open = [self.relay, self.old, self.new]

    def open(self, count=1, **options):
        pairs = open_flows(self.network, options.pop("upstream", self.old), 6379, count, **options)
        self._open += [sock for pair in pairs for sock in pair]
        return pairs

    def move(self, existing=CUT, gone=GONE):
        """Let the route lead to the new endpoint; return when that was asked."""
        forward(self.network, *TO_NEW)
        began = time.monotonic()
        self.loop.do(self.departures.endpoint_left(ROUTE, [6379], gone, why(existing)))
        return began

    def flows(self, proto=Proto.TCP):
        return self.loop.do(self.conntrack.flows(proto, [6379]))

    def close(self):
        self.loop.do(self.departures.settle())
        for part in (self.departures, self.conntrack, self.poker):
            self.loop.call(part.close)
        for sock in self._open:
            sock.close()
        self.loop.close()


@pytest.fixture
def scene(network):
    scene = Scene(network)
    yield scene
    scene.close()


def works(client, upstream):
    for one, other in ((client, upstream), (upstream, client)):
        one.sendall(b"ping")
        assert other.recv(4, socket.MSG_WAITALL) == b"ping"


def kinds(scene):
    """Return flows of every kind there is, by its name."""
    client, far = scene.network.address("client"), scene.network.address("far")
    assert client != far
    return {
        "bridge": scene.open(),
        "bridge, IPv6": scene.open(family=IPV6),
        "another host": scene.open(client="far"),
        "another host, IPv6": scene.open(client="far", family=IPV6),
        "the host itself": scene.open(client="host"),
        "sidecar": scene.open(client="ambassador"),
        "sidecar, IPv6": scene.open(client="ambassador", family=IPV6),
    }


def test_every_kind_of_client_and_its_upstream_learn_of_a_cut_soon(scene):
    flows = kinds(scene)
    began = scene.move()
    for kind, pairs in flows.items():
        assert max(times_of_resets(pairs)) - began < SOON, kind
    assert scene.flows() == []
    for client in ("client", "far", "ambassador"):
        works(*scene.open(client=client, upstream=scene.new)[0])


def test_a_client_that_came_through_a_published_port_learns_of_it(scene):
    scene.network.host.run(
        "nft",
        "-f",
        "-",
        stdin="""
        table ip published {
          chain prerouting  { type nat hook prerouting priority dstnat; tcp dport 16379 dnat to 10.77.0.2:6379; }
          chain postrouting { type nat hook postrouting priority srcnat; ip daddr 10.77.0.2 masquerade; }
          chain forward     { type filter hook forward priority filter; ct state invalid drop; }
        }""",  # noqa: E501
    )
    (client,) = [scene.network.far.call(socket.create_connection, ("10.78.0.1", 16379), 10)]
    upstream, _ = scene.old.accept()
    upstream.settimeout(10)
    works(client, upstream)
    began = scene.move()
    assert max(times_of_resets([(client, upstream)])) - began < SOON
    client.close()
    upstream.close()


@pytest.mark.parametrize("client", ["client", "ambassador"])
def test_a_flow_to_an_endpoint_beside_the_ambassador_is_cut(scene, client):
    forward(scene.network, ("tcp", 6379, "10.77.0.2", 7000))
    with listen(scene.network.ambassador, 7000) as beside:
        pairs = scene.open(3, upstream=beside, client=client)
        began = scene.move(gone={("10.77.0.2", 7000)})
        assert max(times_of_resets(pairs)) - began < SOON


@pytest.mark.parametrize("ended", ["client", "upstream"])
@pytest.mark.parametrize("family", [socket.AF_INET, IPV6])
def test_a_half_closed_flow_is_cut(scene, ended, family):
    ((client, upstream),) = scene.open(family=family)
    one, other = (client, upstream) if ended == "client" else (upstream, client)
    one.shutdown(socket.SHUT_WR)
    assert other.recv(1) == b""
    began = scene.move()
    assert max(times_of_resets([(client, upstream)])) - began < SOON


@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_busy_flows_are_cut(scene, direction):
    pairs = scene.open(20)
    stop = threading.Event()

    def pump(source, sink):
        chunk = bytes(1000)
        with contextlib.suppress(OSError):
            while not stop.is_set():
                source.sendall(chunk)
                sink.recv(1000, socket.MSG_WAITALL)

    threads = []
    for client, upstream in pairs[:4]:
        ways = {"up": [(client, upstream)], "down": [(upstream, client)]}
        for way in ways.get(direction, [*ways["up"], *ways["down"]]):
            threads.append(threading.Thread(target=pump, args=way))
            threads[-1].start()
    began = scene.move()
    told = times_of_resets(pairs)
    stop.set()
    for thread in threads:
        thread.join()
    assert max(told) - began < SOON


def test_flows_of_other_endpoints_and_routes_are_not_disturbed(scene):
    other_route = ("tcp", 6380, OLD, 7000)
    stays = ("tcp", 6381, NEW, 7000)
    forward(scene.network, *TO_OLD, other_route, stays)
    bystanders = [
        *open_flows(scene.network, scene.old, 6380, 3),
        *open_flows(scene.network, scene.new, 6381, 3),
    ]
    pairs = scene.open(50)
    forward(scene.network, *TO_NEW, other_route)
    newer = scene.open(3, upstream=scene.new)
    scene.loop.do(scene.departures.endpoint_left(ROUTE, [6379], GONE, why(CUT)))
    times_of_resets(pairs)
    scene.loop.do(scene.departures.settle())
    for pair in (*bystanders, *newer):
        works(*pair)
    for pair in bystanders:
        for sock in pair:
            sock.close()


def test_kept_flows_go_on_and_new_ones_follow(scene):
    pairs = scene.open(5)
    scene.move(Existing())
    for pair in pairs:
        works(*pair)
    works(*scene.open(upstream=scene.new)[0])


def test_a_drain_cuts_what_is_left_within_its_time(scene):
    pairs = scene.open(20)
    done, done_upstream = pairs.pop()
    began = scene.move(Existing(Fate.DRAIN, seconds=2.0))
    done.close()
    assert done_upstream.recv(1) == b""
    for pair in pairs:
        works(*pair)
    told = sorted(moment - began for moment in times_of_resets(pairs))
    assert told[0] > 1.5
    assert told[-1] < 2.0 + SOON


def test_a_rate_is_kept(scene):
    pairs = scene.open(21)
    began = scene.move(Existing(Fate.CUT, rate=20))
    told = sorted(moment - began for moment in times_of_resets(pairs))
    assert told[len(told) // 2] > 0.4
    assert 1.0 <= told[-1] < 1.0 + SOON


def test_an_address_that_comes_back_in_time_spares_its_flows(scene):
    pairs = scene.open(3)
    scene.move(Existing(Fate.DRAIN, seconds=0.5))
    scene.loop.call(scene.departures.endpoint_back, Proto.TCP, [6379], GONE)
    until(lambda: not scene.departures.busy)
    for pair in pairs:
        works(*pair)


def test_a_client_that_still_connects_to_the_old_endpoint_follows_at_once(scene):
    scene.network.old.run(
        "nft",
        "-f",
        "-",
        stdin="table inet silent { chain in { type filter hook "
        "input priority 0; tcp dport 7000 drop; }; }",
    )
    client = scene.network.client.socket()
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.connect(("10.77.0.2", 6379))
    until(lambda: [flow.state for flow in scene.flows()] == [FlowState.CONNECTING])
    scene.move(Existing())
    upstream, _ = scene.new.accept()  # its second SYN, after 1 s
    client.settimeout(10)
    works(client, upstream)
    client.close()
    upstream.close()


@pytest.fixture
def late(scene):
    """A client whose SYN waits on its way to the old endpoint, until it is let through."""
    here, old = scene.network.ambassador, scene.network.old
    link = json.loads(old.run("ip", "-j", "link", "show", "eth0"))[0]["address"]
    dropping = "table arp silent { chain in { type filter hook input priority 0; drop; }; }"
    old.run("nft", "-f", "-", stdin=dropping)
    here.run("ip", "neigh", "flush", "to", OLD)
    client = scene.network.client.socket()
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.connect(("10.77.0.2", 6379))
    client.settimeout(10)
    until(lambda: [flow.state for flow in scene.flows()] == [FlowState.CONNECTING])

    def let_through():
        old.run("nft", "delete", "table", "arp", "silent")
        here.run("ip", "neigh", "replace", OLD, "lladdr", link, "dev", "eth0")
        upstream, _ = scene.old.accept()  # and not the new one, after 1 s
        upstream.settimeout(10)
        return client, upstream

    yield let_through
    client.close()


def test_an_answer_on_its_way_is_waited_for(scene, late, monkeypatch):
    monkeypatch.setattr(departures, "_ANSWER", 0.7)
    scene.move(Existing())
    client, upstream = late()
    until(lambda: not scene.departures.busy)
    works(client, upstream)
    upstream.close()


def test_one_that_answers_after_its_route_has_left_is_cut_like_the_others(scene, late, monkeypatch):
    monkeypatch.setattr(departures, "_ANSWER", 0.7)
    scene.move(CUT)
    client, upstream = late()
    times_of_resets([(client, upstream)])
    upstream.close()


def test_datagrams_follow_at_once_whatever_the_policy(scene):
    old, new = udp(scene.network.old, 7053), udp(scene.network.new, 7053)
    client = scene.network.client.socket(kind=socket.SOCK_DGRAM)
    client.connect(("10.77.0.2", 53))
    forward(scene.network, ("udp", 53, OLD, 7053))
    client.send(b"1")
    data, back = old.recvfrom(8)
    old.sendto(data, back)
    assert client.recv(8) == b"1"
    forward(scene.network, ("udp", 53, NEW, 7053))
    route = Route("dns", Inet("", 53), (Endpoint(Inet("db", 7053), Proto.UDP),), Proto.UDP)
    scene.loop.do(scene.departures.endpoint_left(route, [53], {(OLD, 7053)}, why(Existing())))
    client.send(b"2")
    data, back = new.recvfrom(8)
    new.sendto(data, back)
    assert client.recv(8) == b"2"
    for sock in (old, new, client):
        sock.close()


@pytest.mark.parametrize(("count", "within"), [(100, SOON), (2000, 2 * SOON)])
def test_many_flows_are_cut_in_time_and_the_loop_goes_on(scene, count, within):
    pairs = scene.open(count)
    forward(scene.network, *TO_NEW)

    async def cut() -> None:
        await scene.departures.cut(await scene.conntrack.flows(Proto.TCP, [6379]), Reason.CUT)

    began = time.monotonic()
    _, stall = scene.loop.longest_stall(cut())
    told = times_of_resets(pairs)
    assert max(told) - began < within
    assert stall < 0.02
