"""A cut is felt by both sides, also behind a firewall of the ambassador's host; where it cannot be,
the command says so, and what is cut ends with its next word.
"""

from __future__ import annotations

import socket

import pytest

from ambassador.core.commands import Cut, Sessions
from ambassador.errors import PlaneError
from ambassador.model import Existing, Fate, Proto
from tests.conformance.ambassador import route
from tests.conformance.scene import ends_with_reset, works
from tests.kernel.peers import times_of_resets
from tests.wait import until

FAMILIES = [socket.AF_INET, socket.AF_INET6]
OLD = {socket.AF_INET: "10.77.0.4:7000", socket.AF_INET6: "[fd77::4]:7000"}
_RULES = """
table inet guard {{
  chain in {{ type filter hook input priority 0; {} }}
  chain out {{ type filter hook output priority 0; {} }}
}}
"""
INVALID = "ct state invalid drop;"
# New connections of ours get out to endpoints only.
CLOSED = (
    "policy drop; ct state established,related accept; oif lo accept; "
    "meta l4proto icmpv6 accept; tcp dport 7000 tcp sport != 7000 ct state new "
    "meta mark & 0xfffffffc != 0xc04 accept;"
)
OPEN_ONES = (
    "policy drop; ct state established accept; tcp dport { 6379, 7000 } ct state new accept;"
)
# What guards: whether connections are taken up in the middle, rules of input, rules of output.
GUARDS = {
    "strict tracking": (0, "", ""),
    "no invalid ones": (1, INVALID, INVALID),
    "no invalid ones, strict tracking": (0, INVALID, INVALID),
    "new ones begin with SYN": (1, "ct state new tcp flags & (syn | ack) != syn drop;", ""),
    "output closed": (1, "", CLOSED),
    "output closed, strict tracking": (0, "", CLOSED),
    "all closed, strict tracking": (
        0,
        "meta l4proto icmpv6 accept; iif lo accept;" + OPEN_ONES,
        CLOSED,
    ),
}


def guard(scene, loose, incoming, outgoing):
    ambassador = scene.network.ambassador
    ambassador.sysctl(net__netfilter__nf_conntrack_tcp_loose=loose)
    ambassador.run("nft", "-f", "-", stdin=_RULES.format(incoming, outgoing))


@pytest.mark.parametrize("what", ["strict tracking", "output closed, strict tracking"])
def test_a_policy_is_felt_by_both_sides(scene, ambassador, what, caplog):
    guard(scene, *GUARDS[what])
    ambassador.set(route(6379, "10.77.0.4:7000", existing=Existing(Fate.CUT)))
    pairs = [scene.session(listening) for listening in [scene.endpoint()] for _ in range(3)]
    ambassador.change("redis", "10.77.0.5:7000")
    times_of_resets(pairs, within=4)
    assert not [one for one in caplog.records if one.event == "cut_not_felt"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("what", GUARDS)
def test_a_cut_is_felt_at_once_by_both_sides(scene, ambassador, what, family):
    guard(scene, *GUARDS[what])
    ambassador.set(route(6379, OLD[family]))
    listening = scene.endpoint()
    pairs = [scene.session(listening, family=family) for _ in range(5)]
    for pair in pairs:
        works(*pair)
    assert ambassador.execute(Cut("redis")).sessions == 5
    times_of_resets(pairs, within=2)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("what", ["strict tracking", "no invalid ones, strict tracking"])
def test_a_flow_of_datagrams_is_cut_and_its_client_begins_another(scene, ambassador, what, family):
    guard(scene, *GUARDS[what])
    ambassador.set(route(53, OLD[family].replace("7000", "7053"), name="dns", proto=Proto.UDP))
    upstream = scene.datagrams()
    clients = [scene.dial("bridge", 53, family, socket.SOCK_DGRAM) for _ in range(3)]

    def exchange(client):
        client.send(b"asked")
        _, where = upstream.recvfrom(16)
        upstream.sendto(b"hello", where)
        assert client.recv(16) == b"hello"

    for client in clients:
        exchange(client)
    assert ambassador.execute(Cut("dns")).sessions == 3
    assert not ambassador.execute(Sessions("dns")).sessions
    for client in clients:
        exchange(client)
    assert ambassador.execute(Sessions("dns")).total == 3


# Nothing gets out, whatever it belongs to; neighbours answer.
SHUT = "policy drop; meta l4proto icmpv6 accept;"


# The relay cannot even connect from such a host.
KERNEL = pytest.mark.parametrize("plane", ["kernel"])


@KERNEL
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("loose", [0, 1])
def test_what_cannot_be_told_is_no_success_and_ends_with_its_next_word(
    scene, ambassador, loose, family
):
    ambassador.set(route(6379, OLD[family]))
    client, upstream = scene.session(scene.endpoint(), family=family)
    works(client, upstream)
    guard(scene, loose, "", SHUT)
    name = client.getsockname()[1]
    with pytest.raises(PlaneError, match=rf"1 of 1 sessions .*:{name}\): a firewall"):
        ambassador.execute(Cut("redis"))
    scene.network.ambassador.run("nft", "flush", "chain", "inet", "guard", "out")
    guard(scene, loose, "", CLOSED)  # what belongs to nothing still stays inside
    for sock in (client, upstream):
        sock.sendall(b"are you there?")
        assert ends_with_reset(sock)


@KERNEL
@pytest.mark.parametrize("family", FAMILIES)
def test_what_an_earlier_connection_was_told_does_not_count(scene, ambassador, family):
    ambassador.set(route(6379, OLD[family]))
    listening = scene.endpoint()

    def dial():  # from one port, as some clients do
        client = scene.keep(scene.network.client.socket(family))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(("", 40404))
        client.connect((scene.network.address("ambassador", family), 6379))
        return client, scene.accept(listening)

    first = dial()
    assert ambassador.execute(Cut("redis")).sessions == 1
    for sock in first:
        assert ends_with_reset(sock)
        sock.close()
    works(*dial())
    guard(scene, 1, "", SHUT)
    with pytest.raises(PlaneError, match="1 of 1 sessions"):
        ambassador.execute(Cut("redis"))


@KERNEL
@pytest.mark.parametrize("family", FAMILIES)
def test_peers_of_our_own_host_are_told_though_nothing_gets_out(scene, ambassador, family):
    here = scene.network.address("ambassador", family)
    ambassador.set(route(6379, f"[{here}]:7000" if ":" in here else f"{here}:7000"))
    listening = scene.endpoint("ambassador")
    pairs = [scene.session(listening, consumer="sidecar", family=family) for _ in range(3)]
    for pair in pairs:
        works(*pair)
    guard(scene, 0, "", SHUT)
    assert ambassador.execute(Cut("redis")).sessions == 3
    for pair in pairs:
        for sock in pair:
            with pytest.raises((ConnectionAbortedError, ConnectionResetError)):
                sock.recv(1)
    with scene.keep(scene.network.ambassador.socket(family)) as again:
        scene.network.ambassador.run("nft", "delete", "table", "inet", "guard")
        again.connect((here, 7000))  # what listens there was not ended
        listening.accept()[0].close()


def test_an_end_of_the_ambassador_is_felt_behind_a_firewall(scene, ambassador):
    guard(scene, *GUARDS["output closed, strict tracking"])
    ambassador.set(route(6379, "10.77.0.4:7000"))
    pairs = [scene.session(listening) for listening in [scene.endpoint()] for _ in range(3)]
    for pair in pairs:
        works(*pair)
    ambassador.drain()
    times_of_resets(pairs, within=4)


@KERNEL
def test_what_a_policy_could_not_end_is_said_in_the_log(scene, ambassador, caplog):
    caplog.set_level("WARNING", "ambassador")
    ambassador.set(route(6379, "10.77.0.4:7000", existing=Existing(Fate.CUT)))
    pairs = [scene.session(listening) for listening in [scene.endpoint()] for _ in range(3)]
    guard(scene, 1, "", SHUT)
    ambassador.change("redis", "10.77.0.5:7000")
    said = until(
        lambda: [one for one in caplog.records if one.event == "cut_not_felt"], 5, "it is said"
    )
    assert [one.fields["sessions"] for one in said] == [3]
    scene.network.ambassador.run("nft", "delete", "table", "inet", "guard")
    for pair in pairs:
        for sock in pair:
            sock.sendall(b"are you there?")
    for pair in pairs:
        for sock in pair:
            assert ends_with_reset(sock)
