"""Somebody flushes rules: a restart of nftables.service or of firewalld, or a hand that slips."""

import socket
import threading
import time

import pytest

from ambassador.core.commands import Move
from ambassador.model import Proto
from tests.conformance.ambassador import route
from tests.conformance.scene import IPV6, works
from tests.wait import until

DAMAGE = {
    "the ruleset": ("flush ruleset",),
    "our table": ("delete table inet ambassador",),
    "its rules": ("flush table inet ambassador",),
    "one map": ("flush map inet ambassador any4", "flush map inet ambassador any6"),
    "one address": ("flush map inet ambassador to4", "flush map inet ambassador to6"),
    "one chain": ("flush chain inet ambassador arrive",),
    "one count": ("flush set inet ambassador opened_tcp",),
}
OURS = ("inet", "ambassador")
FOREIGN = "add rule inet ambassador arrive drop"


def nft(network, *lines):
    """Run one transaction of another program."""
    network.ambassador.run("nft", "-f", "-", stdin="".join(f"{line}\n" for line in lines))


def rules(network):
    """What is in our table, but for what changes by itself, in any order."""
    try:
        found = network.ambassador.run("nft", "-s", "-t", "list", "table", *OURS).splitlines()
        for name in ("any4", "any6", "to4", "to6", "opened_tcp"):
            kind = "set" if name == "opened_tcp" else "map"
            listed = network.ambassador.run("nft", "-s", "list", kind, *OURS, name)
            found += listed.replace("{", " ").replace(",", " ").split()
    except AssertionError:  # there is none
        return []
    return sorted(found)


class Busy:
    """Sessions that ask and answer all the time."""

    def __init__(self, *pairs):
        self.rounds = 0
        self.failure = None
        self._pairs = pairs
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            while not self._stop.is_set():
                for pair in self._pairs:
                    works(*pair)
                self.rounds += 1
        except (OSError, AssertionError) as failure:
            self.failure = failure

    def stop(self):
        self._stop.set()
        self._thread.join()
        assert self.failure is None


@pytest.mark.parametrize("damage", DAMAGE)
def test_it_is_put_back_within_a_second_and_open_sessions_go_on(network, ambassador, scene, damage):
    old, new = scene.endpoint(), scene.endpoint("new")
    ambassador.set(route(6379, "10.77.0.4:7000"), route(6380, "[fd77::4]:7000", name="six"))
    pairs = [
        scene.session(old),
        scene.session(old, consumer="sidecar"),
        scene.session(old, port=6380, family=IPV6),
    ]
    busy = Busy(*pairs)
    until(lambda: busy.rounds > 2)
    if ambassador.plane == "kernel":
        whole = rules(network)
        assert whole
        before = ambassador.status().opened
        nft(network, *DAMAGE[damage])
        until(lambda: rules(network) == whole, 1.0, "the table is whole")
        assert ambassador.status().opened >= before
    else:
        nft(network, "flush ruleset")
    rounds = busy.rounds
    until(lambda: busy.rounds > rounds + 5)
    busy.stop()
    until(lambda: ambassador.status().plane == ambassador.plane)
    for port, family in ((6379, socket.AF_INET), (6380, IPV6)):
        works(*scene.session(old, port=port, family=family))
    if ambassador.plane == "kernel":
        assert len(ambassador.flows([6379])) == 3
        assert ambassador.status().opened >= before + 1
    moved = ambassador.execute(Move("redis", ("tcp://10.77.0.5:7000",)))
    assert moved
    client = scene.dial("bridge", 6379)
    client.sendall(b"new")
    until(lambda: scene.accept(new).recv(3) == b"new")  # the move has asked it too
    works(*pairs[0])


def test_a_rule_of_another_in_our_table_goes(network, ambassador, scene):
    old = scene.endpoint()
    ambassador.set(route(6379, "10.77.0.4:7000"))
    if ambassador.plane == "kernel":
        whole = rules(network)
        nft(network, FOREIGN)
        until(lambda: rules(network) == whole, 1.0, "the rule is gone")
    works(*scene.session(old))


@pytest.mark.parametrize("damage", DAMAGE)
def test_datagrams_go_on_after_a_flush(network, ambassador, scene, damage):
    upstream = scene.datagrams()
    ambassador.set(
        route(53, "10.77.0.4:7053", proto=Proto.UDP),
        route(54, "[fd77::4]:7053", proto=Proto.UDP, name="six"),
    )
    dialled = ((53, socket.AF_INET), (54, IPV6))
    clients = [scene.dial("bridge", *one, socket.SOCK_DGRAM) for one in dialled]

    def exchange(client, text):
        client.send(text)
        data, where = upstream.recvfrom(64)
        upstream.sendto(data, where)
        assert client.recv(64) == text
        return where

    places = [exchange(client, b"before") for client in clients]
    whole = rules(network)
    nft(network, *(DAMAGE[damage] if whole else ("flush ruleset",)))
    assert [exchange(client, b"at once") for client in clients] == places
    until(lambda: rules(network) == whole, 1.0, "the table is whole")
    until(lambda: {one.plane for one in ambassador.statuses()} == {ambassador.plane}, 1.0)
    assert [exchange(client, b"later") for client in clients] == places
    for one in dialled:
        exchange(scene.dial("bridge", *one, socket.SOCK_DGRAM), b"second")


def test_what_flushes_again_and_again_is_not_raced(network, ambassador, scene):
    """It pauses longer each time, and the relay has new connections meanwhile."""
    old = scene.endpoint()
    ambassador.set(route(6379, "10.77.0.4:7000"))
    pair = scene.session(old)
    generations = 0
    until_then = time.monotonic() + 3.0
    while time.monotonic() < until_then:
        listed = network.ambassador.run("nft", "list", "tables")
        if "table inet ambassador\n" in listed:
            nft(network, "flush ruleset")
            generations += 1
        works(*scene.session(old))
    works(*pair)
    if ambassador.plane == "kernel":
        assert 2 <= generations <= 6  # 0, 0.25, 0.75, 1.75 s
        until(lambda: ambassador.status().plane == "kernel", 5.0)
