"""Endpoints that are away, come back, are gone, or change."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time

import pytest

from ambassador.core.commands import Cut, Sessions, Status
from ambassador.model import Existing, Fate, Proto
from tests.conformance.ambassador import route
from tests.conformance.scene import CONSUMERS, IPV6, ends_with_reset, reset, works
from tests.kernel.peers import times_of_resets
from tests.wait import until

KEEP = Existing()
CUT = Existing(Fate.CUT)
DRAIN = Existing(Fate.DRAIN, seconds=2.0)
SLOWLY = Existing(Fate.CUT, rate=10)
SILENT = (
    "table inet silent { chain in { type filter hook input priority 0; tcp dport 7000 drop; }; }"
)


def test_a_client_that_comes_before_its_endpoint_waits_for_it(scene, ambassador):
    ambassador.set(route(6379, "10.77.0.4:7000", connect=10.0))
    client = scene.dial("bridge", 6379)
    client.sendall(b"early")
    threading.Timer(1.0, lambda: box.append(scene.endpoint())).start()
    box: list[socket.socket] = []
    until(lambda: box)
    upstream = scene.accept(box[0])
    assert upstream.recv(5, socket.MSG_WAITALL) == b"early"
    works(client, upstream)
    _until_as_fast_as_ever(scene, ambassador, box[0])


def test_an_endpoint_that_goes_down_and_comes_up_refuses_nobody(scene, ambassador):
    ambassador.set(route(6379, "10.77.0.4:7000", connect=10.0))
    listening = scene.endpoint()
    works(*scene.session(listening))
    listening.close()
    clients = [scene.dial("bridge", 6379) for _ in range(5)]
    listening = scene.endpoint()
    for _ in clients:
        scene.accept(listening).sendall(b"hello")
    assert all(client.recv(5, socket.MSG_WAITALL) == b"hello" for client in clients)
    _until_as_fast_as_ever(scene, ambassador, listening)


def _until_as_fast_as_ever(scene, ambassador, listening):
    """Wait until a new connection is carried by the plane of the test again."""
    if ambassador.plane == "kernel":
        before = len(ambassador.flows([6379]))
        until(
            lambda: scene.session(listening) and len(ambassador.flows([6379])) > before,
            within=10,
            what="a new connection in the kernel",
        )


@pytest.mark.parametrize("kind", ["refuses", "is silent", "is off", "says it is unreachable"])
def test_an_endpoint_that_is_gone_costs_connect_and_a_moment(scene, ambassador, kind):
    ambassador.set(route(6379, "10.77.0.4:7000", connect=2.0))
    if kind == "is silent":
        scene.network.old.run("nft", "-f", "-", stdin=SILENT)
    elif kind == "is off":
        scene.network.old.run("ip", "link", "set", "eth0", "down")
    elif kind == "says it is unreachable":
        rule = SILENT.replace("drop", "reject with icmpx host-unreachable")
        scene.network.old.run("nft", "-f", "-", stdin=rule)
    began = time.monotonic()
    with contextlib.suppress(ConnectionResetError):
        client = scene.dial("bridge", 6379)
        client.sendall(b"hello")
        assert ends_with_reset(client)
    assert 1.9 < time.monotonic() - began < 6.0


class Move:
    """A route that leads from the old endpoint to the new one, for one of three causes."""

    def __init__(self, scene, ambassador, cause, existing):
        self.scene, self.ambassador, self.cause = scene, ambassador, cause
        self.old, self.new = scene.endpoint("old"), scene.endpoint("new")
        ambassador.resolver.answer("db", "10.77.0.4")
        host = "db" if cause == "name" else "10.77.0.4"
        self.other = route(5432, "10.77.0.4:7000", name="other", existing=existing)
        ambassador.set(route(6379, f"{host}:7000", existing=existing), self.other)

    def __call__(self):
        began = time.monotonic()
        if self.cause == "name":
            self.ambassador.resolve("db", "10.77.0.5")
        elif self.cause == "change":
            self.ambassador.change("redis", "10.77.0.5:7000")
        else:
            self.ambassador.set(self.other)
        return began

    def check_new(self):
        """New clients reach the new endpoint, or nobody where the route is gone."""
        if self.cause == "remove":
            with pytest.raises(ConnectionRefusedError):
                self.scene.dial("bridge", 6379)
        else:
            works(*until(self._reach_new, within=1.0, what="a new client reaches the new endpoint"))

    def _reach_new(self):
        """Return both ends of a new connection, None when it does not lead to the new endpoint:
        for some milliseconds after a name has changed.
        """
        client = self.scene.dial("bridge", 6379)
        self.new.settimeout(0.1)
        try:
            return client, self.scene.accept(self.new)
        except TimeoutError:
            return None
        finally:
            self.new.settimeout(20)


@pytest.fixture(params=["name", "change", "remove"])
def cause(request):
    return request.param


@pytest.fixture
def move(scene, ambassador, cause):
    return lambda existing: Move(scene, ambassador, cause, existing)


def test_kept_sessions_go_on_and_new_ones_follow(scene, move):
    move = move(KEEP)
    sessions = [scene.session(move.old, consumer=c) for c in ("bridge", "another host", "sidecar")]
    move()
    move.check_new()
    for session in sessions:
        works(*session)


def test_a_cut_is_told_to_both_sides_and_to_nobody_else(scene, move):
    move = move(CUT)
    sessions = [
        scene.session(move.old, consumer=consumer) for consumer in CONSUMERS for _ in range(5)
    ]
    bystander = scene.session(move.old, 5432)
    began = move()
    told = times_of_resets(sessions)
    assert max(told) - began < 1.5
    works(*bystander)
    move.check_new()


def test_a_drain_cuts_what_is_left_in_its_last_part(scene, move):
    move = move(DRAIN)
    sessions = [scene.session(move.old) for _ in range(10)]
    began = move()
    move.check_new()
    done, upstream = sessions.pop()
    done.close()
    assert upstream.recv(1) == b""
    for session in sessions:
        works(*session)
    told = sorted(moment - began for moment in times_of_resets(sessions))
    assert told[0] > 1.5
    assert told[-1] < 2.5


def test_a_rate_is_kept(scene, move):
    move = move(SLOWLY)
    sessions = [scene.session(move.old) for _ in range(11)]
    began = move()
    move.check_new()
    told = sorted(moment - began for moment in times_of_resets(sessions))
    assert told[len(told) // 2] > 0.4
    assert 0.9 < told[-1] < 2.5


@pytest.mark.parametrize("policy", [KEEP, Existing(Fate.DRAIN, seconds=60)])
@pytest.mark.parametrize("cause", ["remove"], indirect=True)
def test_sessions_of_a_removed_route_are_listed_and_can_be_cut(scene, ambassador, move, policy):
    move = move(policy)
    kept, cut = scene.session(move.old), scene.session(move.old)
    bystander = scene.session(move.old, 5432)
    move()

    def leaving():
        found = ambassador.execute(Sessions()).sessions
        return {int(one.client.rpartition(":")[2]): one for one in found if one.state == "leaving"}

    names = [client.getsockname()[1] for client, _ in (kept, cut)]  # the host masks the address
    assert set(leaving()) == set(names)
    assert {one.route for one in leaving().values()} == {"redis"}
    ambassador.execute(Cut(session=leaving()[names[1]].id))
    times_of_resets([cut])
    assert set(leaving()) == {names[0]}
    works(*kept)
    works(*bystander)
    for sock in kept:
        sock.close()
    until(lambda: not leaving(), what="the last has ended")


@pytest.mark.parametrize("cause", ["name", "change"], indirect=True)
def test_a_client_that_still_waits_for_the_old_endpoint_follows(scene, move):
    move = move(KEEP)
    scene.network.old.run("nft", "-f", "-", stdin=SILENT)
    client = scene.keep(scene.network.client.socket())
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.connect(("10.77.0.2", 6379))
    move()
    upstream = scene.accept(move.new)
    client.settimeout(10)
    works(client, upstream)


@pytest.mark.parametrize("cause", ["name", "change"])
def test_datagrams_follow_at_once(scene, ambassador, cause):
    old, new = scene.datagrams("old"), scene.datagrams("new")
    ambassador.resolver.answer("db", "10.77.0.4")
    host = "db" if cause == "name" else "10.77.0.4"
    ambassador.set(route(53, f"{host}:7053", name="dns", proto=Proto.UDP))
    client = scene.dial("bridge", 53, kind=socket.SOCK_DGRAM)

    def answered_by(endpoint, within=0.1):
        endpoint.settimeout(within)
        client.settimeout(within)
        client.send(b"?")
        with contextlib.suppress(TimeoutError):
            data, back = endpoint.recvfrom(8)
            endpoint.sendto(data, back)
            return client.recv(8) == b"?"

    assert answered_by(old, within=5)
    if cause == "name":
        ambassador.resolve("db", "10.77.0.5")
    else:
        ambassador.change("dns", "10.77.0.5:7053")
    until(lambda: answered_by(new), within=1.0, what="the new endpoint answers")
    old.settimeout(0)
    with contextlib.suppress(BlockingIOError):
        while old.recv(8):  # what came before the change was through
            pass
    for _ in range(10):
        assert answered_by(new, within=5)
    with pytest.raises(BlockingIOError):
        old.recv(8)


def test_an_endpoint_without_probes_that_clients_cannot_reach_is_shown(scene, ambassador):
    ambassador.set(route(6379, "10.77.0.4:7000", connect=10.0))
    listening = scene.endpoint()
    works(*scene.session(listening))
    listening.close()
    client = scene.dial("bridge", 6379)

    def endpoint():
        (one,) = ambassador.execute(Status()).routes[0].endpoints
        return one

    until(lambda: endpoint().failing)
    one = endpoint()
    assert (one.usable, one.health, one.reason) == (False, "unknown", "connection refused")
    assert one.failures > 0
    assert abs(one.failed - time.time()) < 60
    listening = scene.endpoint()
    works(client, scene.accept(listening))
    one = endpoint()
    assert (one.usable, one.failing, one.reason) == (True, False, "")
    assert (one.error, one.opened > 0) == ("connection refused", True)


@pytest.mark.parametrize("family", [socket.AF_INET, IPV6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("first", ["client", "upstream"])
@pytest.mark.parametrize("end", [reset, socket.socket.close], ids=["reset", "end"])
def test_who_comes_back_from_the_same_port_is_not_refused_either(
    scene, ambassador, family, end, first
):
    """To connection tracking it may be the connection that has just ended."""
    where = "[fd77::4]:7000" if family == IPV6 else "10.77.0.4:7000"
    ambassador.set(route(6379, where, connect=10.0))
    ports = range(40_000, 40_008)  # each connection has other numbers, and these matter
    listening = scene.endpoint()
    pairs = [(dial_from(scene, family, port), scene.accept(listening)) for port in ports]
    for pair in pairs:
        works(*pair)
    listening.close()  # from now on it refuses
    for pair in pairs:
        one, other = pair if first == "client" else pair[::-1]
        end(one)
        with contextlib.suppress(ConnectionResetError):
            assert other.recv(1) == b""
        reset(other)
    again = [dial_from(scene, family, port, blocking=False) for port in ports]
    for client in again:
        _, connected, _ = select.select([], [client], [], 6)
        assert connected, "no answer"
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        client.settimeout(20)
    listening = scene.endpoint()
    for client in again:
        client.sendall(b"asked")
    for _ in again:
        upstream = scene.accept(listening)
        assert upstream.recv(5, socket.MSG_WAITALL) == b"asked"
        upstream.sendall(b"hello")
    assert all(client.recv(5, socket.MSG_WAITALL) == b"hello" for client in again)


def dial_from(scene, family, port, *, blocking=True):
    """Return a socket that connects from a port of its own, whatever stood there a moment ago."""
    sock = scene.keep(scene.network.client.socket(family))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", port))
    sock.setblocking(blocking)
    sock.connect_ex((scene.network.address("ambassador", family), 6379))
    return sock
