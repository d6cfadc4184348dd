"""The rules and the forwarding of a namespace: seen, and heard of when they change."""

from __future__ import annotations

import shutil

import pytest

from ambassador.planes.kernel.firewall import Packet, hindrance
from ambassador.planes.kernel.host import Host
from ambassador.planes.kernel.netconf import forwards
from ambassador.planes.kernel.nft import Nft
from tests.wait import until

DROP = "table inet fw { chain f { type filter hook forward priority 0; policy drop; }; }"
THERE = Packet("forward", False, "tcp", daddr="10.0.0.1", dport=6379)


@pytest.fixture
def host(loop):
    told = []

    async def tell():
        told.append(host.sight)

    host = Host(Nft(shutil.which("nft")), tell)
    host.told = told
    loop.do(host.open())
    yield host
    loop.call(host.close)


def test_a_rule_that_comes_and_goes_is_heard_of(network, host):
    assert hindrance(host.sight.rules, THERE) is None
    network.ambassador.run("nft", "-f", "-", stdin=DROP)
    until(lambda: hindrance(host.sight.rules, THERE), 5)
    network.ambassador.run("nft", "flush", "ruleset")
    until(lambda: not hindrance(host.sight.rules, THERE), 5)
    assert len(host.told) == 2


@pytest.mark.parametrize("program", ["iptables-nft", "iptables-legacy"])
def test_rules_of_both_iptables_are_seen(network, host, loop, program):
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")
    network.ambassador.run(program, "-P", "FORWARD", "DROP")
    loop.do(host.look())
    assert str(hindrance(host.sight.rules, THERE)).endswith("policy drop")
    network.ambassador.run(
        *(program, "-A", "FORWARD", "-p", "tcp", "-d", "10.0.0.1", "--dport", "6379"),
        *("-m", "conntrack", "--ctstate", "NEW,ESTABLISHED", "-j", "ACCEPT"),
    )
    loop.do(host.look())
    assert hindrance(host.sight.rules, THERE) is None


def test_our_own_transactions_are_no_news(network, host):
    network.ambassador.run(
        *("nft", "-f", "-"),
        stdin="table inet ambassador { chain f { type filter hook forward priority 0; drop; }; }",
    )
    network.ambassador.run("nft", "-f", "-", stdin=DROP)
    until(lambda: host.told, 5)
    assert [chain.table for chain in host.sight.rules.chains] == ["fw"]
    assert len(host.told) == 1


def test_forwarding_is_heard_of_without_proc_sys(network, host):
    assert host.sight.no_ipv4 == ""
    network.ambassador.sysctl(net__ipv4__ip_forward=0)
    until(lambda: "net.ipv4.ip_forward is 0" in host.sight.no_ipv4, 5)
    assert network.ambassador.call(forwards, False) is False
    assert network.ambassador.call(forwards, True) is True
    network.ambassador.sysctl(net__ipv4__ip_forward=1)
    until(lambda: host.sight.no_ipv4 == "", 5)


def test_a_firewall_that_changes_all_the_time_is_looked_at_more_and_more_rarely(network, host):
    looks = []
    look = host._nft.ruleset

    async def counted():
        looks.append(1)
        return await look()

    host._nft.ruleset = counted
    for number in range(40):
        network.ambassador.run("nft", "add", "table", "inet", f"t{number}")
    network.ambassador.run("nft", "-f", "-", stdin=DROP)
    until(lambda: hindrance(host.sight.rules, THERE), 10)
    assert len(looks) < 15


def test_rules_that_cannot_be_read_are_said_to_be_unknown(network, loop, tmp_path):
    failing = tmp_path / "nft"
    failing.write_text("#!/bin/sh\necho 'Error: Operation not permitted' >&2\nexit 1\n")
    failing.chmod(0o755)

    async def nothing():
        pass

    network.ambassador.run("nft", "add", "table", "inet", "fw")  # else there is nothing to list
    host = Host(Nft(str(failing)), nothing)
    loop.do(host.open())
    assert host.sight.unread.startswith("nft: Operation not permitted")
    assert hindrance(host.sight.rules, THERE) is None
    loop.call(host.close)
