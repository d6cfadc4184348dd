"""The kernel plane itself: what it does when something fails, what it counts, what it follows."""

from __future__ import annotations

import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute
from ambassador.errors import ConfigError, PlaneError
from ambassador.model import Endpoint, Inet, Pick, Proto, Route, Unix
from ambassador.planes.kernel.plane import KernelPlane
from ambassador.planes.kernel.privilege import look
from tests.kernel.peers import listen, open_flows, times_of_resets, udp
from tests.loops import LoopThread
from tests.names import StaticResolver
from tests.wait import until

OLD, NEW = "10.77.0.4", "10.77.0.5"
# Refuses every transaction that speaks of port 9999.
PICKY = """#!/bin/sh
text=$(cat)
case $text in
  *" 9999"*) echo "/dev/stdin:1:1-9: Error: Could not process rule: No space left" >&2; exit 1;;
esac
printf '%s' "$text" | exec {nft} "$@"
"""


def route(listening, *hosts, port=7000, name="", **options):
    address = Inet("", listening) if isinstance(listening, int) else listening
    endpoints = tuple(Endpoint(Inet(host, port)) for host in hosts or (OLD,))
    return Route(name or f"r{listening}", address, endpoints, **options)


class Plane:
    """A kernel plane on a loop of its own in the namespace of the ambassador."""

    def __init__(self, network, nft="", **options):
        self.loop = LoopThread(network.ambassador)
        self.resolver = StaticResolver()
        abilities = network.ambassador.call(look)
        if nft:
            abilities = replace(abilities, nft=nft)
        options = {"demanded": False, "keep_rules": False, **options}
        self.plane = self.loop.call(lambda: KernelPlane(self.resolver, abilities, **options))

    def apply(self, *steps):
        self.loop.do(self.plane.prepare(steps))
        self.loop.do(self.plane.apply(steps))

    def add(self, *routes):
        self.apply(*map(AddRoute, routes))

    def status(self, name):
        self.loop.do(self.plane.measure())
        return next(s for s in self.loop.call(self.plane.status) if s.route.name == name)

    def noticed(self, name, endpoint, reachable, address=""):
        self.loop.call(self.plane.noticed, name, endpoint, address, reachable)

    def close(self):
        self.loop.do(self.plane.close())
        self.loop.close()


@pytest.fixture
def start(network):
    planes = []

    def starting(**options):
        planes.append(Plane(network, **options))
        return planes[-1]

    yield starting
    for plane in planes:
        plane.close()


@pytest.fixture
def picky(tmp_path):
    path = tmp_path / "nft"
    path.write_text(PICKY.format(nft=shutil.which("nft")))
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def old(network):
    with listen(network.old, 7000) as listening:
        listening.settimeout(10)
        yield listening


@pytest.fixture
def new(network):
    with listen(network.new, 7000) as listening:
        listening.settimeout(10)
        yield listening


def close(pairs):
    for pair in pairs:
        for sock in pair:
            sock.close()


def elements(network, name="any4"):
    text = network.ambassador.run("nft", "list", "map", "inet", "ambassador", name)
    return {int(part.split()[2]) for part in text.split("{")[-1].split(",") if "tcp ." in part}


def test_a_transaction_that_fails_leaves_the_routes_to_the_relay_in_nft_s_own_words(
    network, old, start, picky, caplog
):
    plane = start(nft=picky)
    plane.add(route(6379, name="good"))
    plane.add(route(9999, name="bad"), route(6380, name="same batch"))
    assert plane.status("bad").why == "nft: Could not process rule: No space left"
    assert plane.status("bad").plane == "relay"
    assert plane.status("good").plane == "kernel"
    assert elements(network) == {6379}
    (said,) = [r for r in caplog.records if r.event == "rules_refused"]
    assert "bad and same batch" in said.message or "bad, same batch" in said.message
    close(open_flows(network, old, 6379))


def test_a_changed_route_whose_rules_fail_leads_to_its_old_endpoint_no_longer(
    network, old, start, picky
):
    plane = start(nft=picky)
    before = route(6379, OLD, name="redis")
    plane.add(before)
    plane.apply(ChangeRoute(before, route(6379, NEW, name="redis", port=9999)))
    assert plane.status("redis").plane == "relay"
    assert elements(network) == set()


def test_where_the_kernel_is_demanded_a_failure_changes_nothing(network, old, start, picky):
    plane = start(nft=picky, demanded=True)
    before = route(6379, name="redis")
    plane.add(before)
    with pytest.raises(PlaneError, match="No space left"):
        plane.apply(ChangeRoute(before, route(6379, NEW, name="redis", port=9999)))
    with pytest.raises(PlaneError, match="No space left"):
        plane.add(route(9999))
    assert [s.route for s in plane.loop.call(plane.plane.status)] == [before]
    close(open_flows(network, old, 6379))
    plane.apply(RemoveRoute(before))
    assert elements(network) == set()


def test_where_the_kernel_is_demanded_a_route_that_cannot_be_there_is_a_config_error(start):
    plane = start(demanded=True)
    with pytest.raises(ConfigError, match="route s: cannot be in the kernel: the kernel does not"):
        plane.add(Route("s", Inet("", 80), (Endpoint(Unix("/s")),)))


def test_two_routes_on_one_port_of_different_addresses_are_left_to_the_relay(network, start):
    network.ambassador.run("ip", "addr", "add", "10.77.0.9/32", "dev", "lo")
    plane = start()
    first = route(Inet("10.77.0.2", 6379), name="first")
    second = route(Inet("10.77.0.9", 6379), name="second")
    plane.add(first)
    assert plane.status("first").plane == "kernel"
    plane.add(second)
    for name, other in (("first", "second"), ("second", "first")):
        assert plane.status(name).plane == "relay"
        assert plane.status(name).why == f"{other} listens on port 6379 of another address"
    plane.apply(RemoveRoute(second))
    assert plane.status("first").plane == "kernel"


def test_a_route_on_one_address_takes_no_other(network, old, start):
    network.ambassador.run("ip", "addr", "add", "10.77.0.9/32", "dev", "lo")
    network.client.run("ip", "route", "add", "10.77.0.9/32", "via", "10.77.0.2")
    start().add(route(Inet("10.77.0.9", 6379)))
    close(open_flows(network, old, 6379, host="10.77.0.9"))
    with network.client.socket() as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(("10.77.0.2", 6379))


def test_sessions_and_bytes_are_counted_by_route(network, old, start):
    plane = start()
    plane.add(route(6379, name="redis"), route(6380, name="other"))
    pairs = open_flows(network, old, 6379, 3)
    for client, upstream in pairs:
        upstream.sendall(b"x" * 10_000)
        assert client.recv(10_000, socket.MSG_WAITALL)
    status = plane.status("redis")
    assert (status.opened, status.open) == (3, 3)
    assert 30_000 < status.to_client < 40_000
    assert 100 < status.to_upstream < 5_000
    close(pairs[:1])
    until(lambda: plane.status("redis").open == 2)
    assert plane.status("redis").opened == 3
    other = plane.status("other")
    assert (other.opened, other.open, other.to_client, other.to_upstream) == (0, 0, 0, 0)
    close(pairs[1:])


def test_counters_go_on_over_a_change_in_place(network, old, new, start):
    plane = start()
    before = route(6379, OLD, name="redis")
    plane.add(before)
    close(open_flows(network, old, 6379, 2))
    plane.apply(ChangeRoute(before, route(6379, NEW, name="renamed")))
    close(open_flows(network, new, 6379, 1))
    assert plane.status("renamed").opened == 3


def test_datagrams_are_counted(network, start):
    endpoint = Endpoint(Inet(OLD, 7053), Proto.UDP)
    plane = start()
    plane.add(Route("dns", Inet("", 53), (endpoint,), Proto.UDP))
    upstream = udp(network.old, 7053)
    client = network.client.socket(kind=socket.SOCK_DGRAM)
    client.connect(("10.77.0.2", 53))
    client.send(b"question")
    data, there = upstream.recvfrom(64)
    upstream.sendto(data * 4, there)
    assert client.recv(64) == b"question" * 4
    status = plane.status("dns")
    assert (status.opened, status.open) == (1, 1)
    assert (status.to_upstream, status.to_client) == (28 + 8, 28 + 32)
    upstream.close()
    client.close()


def test_several_endpoints_have_their_turns(network, old, new, start):
    start().add(route(6379, OLD, NEW))
    clients = []
    for _ in range(6):
        clients.append(network.client.socket())
        clients[-1].connect(("10.77.0.2", 6379))
    counts = {}
    for listening in (old, new):
        listening.settimeout(0.2)
        counts[listening] = 0
        while True:
            try:
                clients.append(listening.accept()[0])
            except TimeoutError:
                break
            counts[listening] += 1
    assert list(counts.values()) == [3, 3]
    for sock in clients:
        sock.close()


def test_an_endpoint_the_relay_cannot_reach_is_out_until_it_is_reached_again(
    network, old, new, start
):
    plane = start()
    both = route(6379, OLD, NEW, name="redis")
    plane.add(both)
    plane.noticed("redis", both.endpoints[0], False)
    until(lambda: "spread" not in network.ambassador.run("nft", "list", "ruleset"))
    close(open_flows(network, new, 6379, 4))
    plane.noticed("redis", both.endpoints[1], False)
    until(lambda: elements(network) == set())
    assert plane.status("redis").why == "no endpoint can be reached at the moment"
    plane.noticed("redis", both.endpoints[0], True)
    until(lambda: elements(network) == {6379})
    close(open_flows(network, old, 6379, 4))


def test_an_endpoint_nobody_speaks_of_is_tried_again_after_five_seconds(network, old, start):
    plane = start()
    only = route(6379, OLD, name="redis")
    plane.add(only)
    plane.noticed("redis", only.endpoints[0], False)
    until(lambda: elements(network) == set())
    until(lambda: elements(network) == {6379}, within=7)


def test_one_address_of_a_name_that_cannot_be_reached_is_out_alone(network, new, start):
    plane = start()
    plane.resolver.answer("db", OLD, NEW)
    named = route(6379, "db", name="redis")
    plane.add(named)
    plane.noticed("redis", named.endpoints[0], False, OLD)
    until(lambda: "spread" not in network.ambassador.run("nft", "list", "ruleset"))
    close(open_flows(network, new, 6379, 4))
    plane.noticed("redis", named.endpoints[0], True, OLD)
    until(lambda: "spread" in network.ambassador.run("nft", "list", "ruleset"))


def test_a_name_is_followed(network, old, new, start, caplog):
    caplog.set_level("INFO", "ambassador")
    plane = start()
    plane.add(route(6379, "db", name="redis"))
    assert plane.status("redis").plane == "relay"
    assert plane.status("redis").why == "the address of db is not known"
    plane.loop.call(plane.resolver.answer, "db", OLD)
    until(lambda: plane.status("redis").plane == "kernel")
    (said,) = until(lambda: [r for r in caplog.records if r.event == "route_plane"])
    assert said.message.startswith("redis  :6379 -> db:7000  plane kernel (")
    close(open_flows(network, old, 6379))
    plane.loop.call(plane.resolver.answer, "db", NEW)
    until(lambda: NEW in network.ambassador.run("nft", "list", "map", "inet", "ambassador", "to4"))
    close(open_flows(network, new, 6379))
    assert len([r for r in caplog.records if r.event == "route_plane"]) == 1


def test_a_removed_route_is_followed_no_longer(network, start):
    plane = start()
    named = route(6379, "db", name="redis")
    plane.add(named)
    assert plane.resolver.watched == {"db"}
    plane.apply(RemoveRoute(named))
    assert plane.resolver.watched == set()


def test_at_a_stop_what_a_removed_route_has_left_is_cut_too(network, old, start):
    plane = start()
    gone = route(6379, OLD, name="redis")
    plane.add(gone)
    pairs = open_flows(network, old, 6379)
    plane.apply(RemoveRoute(gone))
    assert plane.loop.do(plane.plane.drain(0.1)) == 1
    times_of_resets(pairs)
    close(pairs)


def test_least_is_named_as_the_relay_s(start):
    plane = start()
    plane.add(route(6379, OLD, NEW, name="redis", pick=Pick.LEAST))
    assert plane.status("redis").why == "pick=least needs to know every open session"


def test_what_it_would_do_with_a_route_is_told_beforehand(start):
    kernel = start().plane
    assert kernel.hindrance(route(6379, OLD, name="redis")) == ""
    least = route(6379, OLD, NEW, name="redis", pick=Pick.LEAST)
    assert kernel.hindrance(least) == "pick=least needs to know every open session"


def test_a_drain_that_fails_is_said_and_holds_nothing_up(network, old, start, picky, caplog):
    plane = start(nft=picky)
    plane.add(route(6379, name="redis"))
    (pair,) = open_flows(network, old, 6379)
    Path(picky).write_text("#!/bin/sh\necho 'Error: Device or resource busy' >&2; exit 1\n")
    assert plane.loop.do(plane.plane.drain(5.0)) == 0
    assert any("Device or resource busy" in r.message for r in caplog.records)
    close([pair])


def test_a_client_at_a_link_local_address_is_left_to_the_relay_at_once(network, start):
    plane = start()
    plane.add(route(6379, "fd77::4", name="redis"))
    text = network.ambassador.run("ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link")
    address = text.split()[3].partition("/")[0]
    with network.client.socket(socket.AF_INET6) as sock:
        scope = network.client.call(socket.if_nametoindex, "eth0")
        with pytest.raises(ConnectionRefusedError):  # nobody listens behind this plane
            sock.connect((address, 6379, 0, scope))
