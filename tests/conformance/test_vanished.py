"""Entries of connection tracking go while connections are open: an interface is down for a moment,
an address is renewed, somebody flushes the table. The relay's sockets do not mind.
"""

import socket
import threading
import time

import pytest

from ambassador.core.commands import Cut, Sessions
from ambassador.model import Proto
from ambassador.planes.kernel.conntrack import Conntrack
from ambassador.planes.kernel.continued import PATIENCE
from tests.conformance.ambassador import route
from tests.conformance.scene import IPV6, ends_with_reset, works
from tests.wait import until

FAMILIES = [socket.AF_INET, IPV6]


def ip(network, *words):
    network.ambassador.run("ip", *words)


def interface_down(network):
    ip(network, "link", "set", "eth0", "down")
    ip(network, "link", "set", "eth0", "up")
    # IPv6 addresses go with their interface, and routes to other links
    ip(network, "-6", "addr", "add", "fd77::2/64", "dev", "eth0", "nodad")


def address_renewed(network):
    for address in ("10.77.0.2/24", "fd77::2/64"):
        ip(network, "addr", "del", address, "dev", "eth0")
        ip(network, "addr", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))


def table_flushed(network):
    network.ambassador.run("conntrack", "-F")


def route_moved(network):
    """The endpoint is reached by another interface from now on."""
    one, other = network.ambassador, network.old
    one.join(other, ["10.79.0.2/24", "fd79::2/64"], ["10.79.0.4/24", "fd79::4/64"])
    one.run("ip", "route", "add", "10.77.0.4/32", "via", "10.79.0.4")
    one.run("ip", "route", "add", "fd77::4/128", "via", "fd79::4")
    other.run("ip", "route", "add", "10.77.0.2/32", "via", "10.79.0.2", "src", "10.77.0.4")
    other.run("ip", "route", "add", "fd77::2/128", "via", "fd79::2", "src", "fd77::4")


CAUSES = [interface_down, address_renewed, table_flushed, route_moved]


@pytest.fixture
def lead(ambassador, network):
    """Route port 6379 to the old endpoint's address of a family."""

    def leading(family, proto=Proto.TCP, port=7000):
        host = network.address("old", family)
        at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        ambassador.set(route(6379, at, proto=proto))

    return leading


def happens(cause, network, ambassador, times=1):
    """Let it happen, and wait until the entry of the one session has gone and come again. What an
    interface or an address takes along goes in a task of the kernel (nf_nat_masquerade.c), so that
    it may be there for a while; the one that comes has counted next to nothing, and no interface
    takes that along.
    """

    def counted():
        return [one.packets_up for one in ambassador.flows([6379])]

    before = counted()
    cause(network)
    stays = (cause is interface_down and times > 1) or cause is route_moved  # until it is used
    if ambassador.plane == "kernel" and not stays:
        until(lambda: [] < counted() < before, 10, f"it is there again: {before}")


def outcome(plane, client, upstream, say):
    """Let one side speak; tell whether it is heard, or both sides learn that they are not."""
    say, hear = (client, upstream) if say == "client" else (upstream, client)
    try:
        say.sendall(b"are you there?")
        if hear.recv(14, socket.MSG_WAITALL) == b"are you there?":
            return "goes on"
    except ConnectionError:
        pass
    assert plane == "kernel"
    # conntrack takes the first segment for a connection with our own TCP where it comes before
    # the entry is there again.
    return "told" if all(map(told, (client, upstream))) else "waits"


def told(sock):
    """Tell whether a socket is or was reset within its time."""
    try:
        while sock.recv(64):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


@pytest.mark.parametrize("speaker", ["client", "upstream"])
@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("family", FAMILIES)
def test_nobody_waits_whoever_speaks_first(
    network, ambassador, scene, lead, family, cause, speaker
):
    lead(family)
    listening = scene.endpoint()
    pairs = [scene.session(listening, family=family) for _ in range(2)]
    works(*pairs[0])
    if speaker == "upstream":
        pairs[1][0].shutdown(socket.SHUT_WR)
        assert pairs[1][1].recv(1) == b""
    cause(network)
    for pair in pairs:
        assert outcome(ambassador.plane, *pair, speaker) != "waits"


@pytest.mark.parametrize("cause", CAUSES)
def test_a_quiet_session_goes_on(network, ambassador, scene, lead, cause):
    lead(socket.AF_INET)
    pair = scene.session(scene.endpoint())
    works(*pair)
    happens(cause, network, ambassador)
    works(*pair)


@pytest.mark.parametrize("family", FAMILIES)
def test_both_peers_of_a_busy_session_go_on_or_learn(network, ambassador, scene, lead, family):
    lead(family)
    listening = scene.endpoint()
    pairs = [scene.session(listening, family=family) for _ in range(20)]
    flushed = threading.Event()
    outcomes = []

    def carry(client, upstream):
        try:
            while not flushed.is_set():
                works(client, upstream)
        except ConnectionError:
            pass
        outcomes.append(outcome(ambassador.plane, client, upstream, "client"))

    threads = [threading.Thread(target=carry, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for _ in range(3):
        table_flushed(network)
    flushed.set()
    for thread in threads:
        thread.join()
    assert len(outcomes) == len(pairs)
    assert "waits" not in outcomes


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_client_of_datagrams_that_only_hears_goes_on_hearing(network, scene, lead, family, cause):
    lead(family, Proto.UDP, 7053)
    upstream = scene.datagrams()
    client = scene.dial("bridge", 6379, family=family, kind=socket.SOCK_DGRAM)
    client.send(b"begin")
    _, where = upstream.recvfrom(16)
    upstream.sendto(b"first", where)
    assert client.recv(16) == b"first"
    cause(network)

    def heard():  # a datagram may be lost while the interface comes up
        upstream.sendto(b"later", where)
        client.settimeout(0.2)
        try:
            return client.recv(16) == b"later"
        except TimeoutError:
            return False

    until(heard, 15)


def test_what_an_operator_cut_does_not_come_back(ambassador, scene, lead):
    lead(socket.AF_INET)
    pair = scene.session(scene.endpoint())
    works(*pair)
    assert len(ambassador.execute(Sessions("redis")).sessions) == 1
    ambassador.execute(Cut("redis"))
    assert all(ends_with_reset(sock) for sock in pair)
    until(lambda: not ambassador.execute(Sessions("redis")).sessions)


@pytest.mark.parametrize("cause", [interface_down, table_flushed])
def test_one_session_has_one_end_in_the_access_log(network, ambassador, scene, lead, cause):
    lead(socket.AF_INET)
    client, upstream = scene.session(scene.endpoint())

    def carry():
        client.sendall(bytes(50_000))
        left = 50_000
        while left:
            left -= len(upstream.recv(left))
        works(client, upstream)

    carry()
    began = time.monotonic()
    for times in (1, 2):
        happens(cause, network, ambassador, times)
        carry()
    # An end that is told too early is told within this time.
    until(lambda: ambassador.lines("redis") or time.monotonic() > began + PATIENCE + 0.2)
    assert ambassador.lines("redis") == []
    client.close()
    upstream.close()
    until(lambda: ambassador.lines("redis"))
    (line,) = ambassador.lines("redis")
    assert line["reason"] == "client"
    assert 150_000 < line["to_upstream"] < 170_000
    assert line["total"] > PATIENCE


def test_a_session_that_does_not_come_back_has_its_end_as_well(
    ambassador, scene, lead, monkeypatch
):
    monkeypatch.setattr(Conntrack, "revive", lambda _, gone: list(gone))
    lead(socket.AF_INET)
    works(*scene.session(scene.endpoint()))
    ambassador.forget_flows()
    if ambassador.plane == "kernel":
        (line,) = until(lambda: ambassador.lines("redis"))
        assert line["reason"] == "unknown"
        assert line["total"] < PATIENCE
