"""The kernel's table: list, delete, hear."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import pytest
import uvloop

from ambassador.model import Proto
from ambassador.planes.kernel.conntrack import Conntrack
from ambassador.planes.kernel.entry import FlowState
from ambassador.planes.kernel.netlink import NetlinkSocket
from ambassador.planes.kernel.tracking import fill
from tests.kernel.forwarding import forward
from tests.kernel.peers import listen, open_flows, udp
from tests.loops import LoopThread
from tests.wait import until

IPV6 = socket.AF_INET6


@pytest.fixture
def loop(network):
    loop = LoopThread(network.ambassador, uvloop.new_event_loop)
    yield loop
    loop.close()


@pytest.fixture
def conntrack(loop):
    conntrack = Conntrack()
    loop.call(conntrack.open)
    yield conntrack
    loop.call(conntrack.close)


def test_a_flow_is_told_with_both_ends_and_what_it_carried(network, loop, conntrack):
    forward(network, ("tcp", 6379, "10.77.0.4", 7000), ("tcp", 6379, "fd77::4", 7000))
    listening = listen(network.old, 7000)
    pairs = open_flows(network, listening, 6379) + open_flows(network, listening, 6379, family=IPV6)
    for client, upstream in pairs:
        client.sendall(bytes(10_000))
        assert len(upstream.recv(10_000, socket.MSG_WAITALL)) == 10_000
    flows = loop.do(conntrack.flows(Proto.TCP, [6379]))
    told = {flow.family: flow for flow in flows}
    for (client, upstream), family in zip(pairs, (socket.AF_INET, IPV6), strict=True):
        flow = told[family]
        assert flow.client == client.getsockname()[:2]
        assert flow.listen == (network.address("ambassador", family), 6379)
        assert flow.upstream == (network.address("old", family), 7000)
        assert flow.nat[1] == upstream.getpeername()[1]
        assert flow.state is FlowState.ESTABLISHED
        assert 10_008 < flow.bytes_up < 20_000
        assert flow.packets_up >= 3
        assert 0 < flow.bytes_down < 10_000
    for pair in pairs:
        for sock in pair:
            sock.close()
    listening.close()


def test_only_translated_flows_of_the_ports_asked_for_are_told(network, loop, conntrack):
    ports = range(6000, 6020)
    forward(network, *(("tcp", port, "10.77.0.4", 7000) for port in ports))
    listening, ours = listen(network.old, 7000), listen(network.ambassador, 7100)
    pairs = [pair for port in ports for pair in open_flows(network, listening, port)]
    pairs += open_flows(network, ours, 7100)
    ended, upstream = open_flows(network, listening, 6000)[0]
    ended.close()
    upstream.close()

    def ports_of(wanted):
        return sorted(flow.listen[1] for flow in loop.do(conntrack.flows(Proto.TCP, wanted)))

    assert ports_of([6003]) == [6003]
    assert ports_of([7100]) == []
    assert ports_of(ports) == list(ports)
    until(lambda: ports_of([6000]) == [6000])
    assert loop.do(conntrack.flows(Proto.UDP, ports)) == []
    for pair in pairs:
        for sock in pair:
            sock.close()
    for sock in (listening, ours):
        sock.close()


def test_what_other_rules_translate_is_not_ours(network, loop, conntrack):
    network.ambassador.run(
        "nft",
        "-f",
        "-",
        stdin="""
        table ip others {
          chain prerouting { type nat hook prerouting priority dstnat; tcp dport 6379 dnat to 10.77.0.4:7000; }
          chain postrouting { type nat hook postrouting priority srcnat; masquerade; }
        }""",  # noqa: E501
    )
    listening = listen(network.old, 7000)
    pairs = open_flows(network, listening, 6379)
    assert loop.do(conntrack.flows(Proto.TCP, [6379])) == []
    for pair in pairs:
        for sock in pair:
            sock.close()
    listening.close()


def test_only_the_flows_given_are_deleted_and_those_gone_already_are_not_counted(
    network, loop, conntrack
):
    forward(network, ("udp", 53, "10.77.0.4", 7053))
    upstream = udp(network.old, 7053)
    clients = [network.client.socket(kind=socket.SOCK_DGRAM) for _ in range(250)]
    for client in clients:
        client.sendto(b"?", ("10.77.0.2", 53))
        upstream.recv(1)
    flows = loop.do(conntrack.flows(Proto.UDP, [53]))
    assert len(flows) == 250
    assert {flow.state for flow in flows} == {FlowState.CONNECTING}
    assert loop.do(conntrack.delete(flows[:150])) == 150
    assert loop.do(conntrack.delete(flows[:160])) == 10
    left = loop.do(conntrack.flows(Proto.UDP, [53]))
    assert {flow.id for flow in left} == {flow.id for flow in flows[160:]}
    assert loop.do(conntrack.delete(flows)) == 90
    for sock in (upstream, *clients):
        sock.close()


def test_twenty_thousand_flows_are_listed_and_the_loop_goes_on(network, loop, conntrack):
    forward(network, ("udp", 53, "10.77.0.4", 7053))
    network.ambassador.sysctl(net__netfilter__nf_conntrack_udp_timeout=300)

    def speak() -> None:
        for port in range(20_000, 40_000):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind(("", port))
                sock.sendto(b"?", ("10.77.0.2", 53))

    network.client.call(speak)
    flows, stall = loop.longest_stall(conntrack.flows(Proto.UDP, [53]))
    assert len(flows) == 20_000
    assert stall < 0.02
    deleted, stall = loop.longest_stall(conntrack.delete(flows))
    assert deleted == 20_000
    assert stall < 0.02


def test_without_the_capability_it_says_which_one(network):
    code = (
        "import asyncio\n"
        "from ambassador.model import Proto\n"
        "from ambassador.planes.kernel.conntrack import Conntrack\n"
        "asyncio.run(Conntrack().flows(Proto.TCP, [1]))\n"
    )
    command = ["setpriv", "--bounding-set", "-net_admin", sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    assert "PlaneError: conntrack: operation not permitted (CAP_NET_ADMIN is needed)" in done.stderr


def test_a_dump_that_nobody_waits_for_any_longer_disturbs_no_other(network, loop, conntrack):
    forward(network, ("udp", 53, "10.77.0.4", 7053))
    with network.client.socket(kind=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"?", ("10.77.0.2", 54))  # of another port: an empty table is not walked

    async def impatient() -> None:
        for _ in range(20):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await conntrack.flows(Proto.UDP, [53])
        assert await conntrack.flows(Proto.UDP, [53]) == []

    loop.do(impatient())


def test_a_table_without_entries_is_not_walked(network, loop, conntrack, monkeypatch):
    """A walk goes through the buckets of all namespaces: 10 ms of a move on a large host."""
    walks = []
    dump = NetlinkSocket.dump
    monkeypatch.setattr(NetlinkSocket, "dump", lambda *given: walks.append(1) or dump(*given))
    assert network.ambassador.call(fill).entries == 0
    assert loop.do(conntrack.flows(Proto.TCP, [6379])) == []
    assert not walks
    forward(network, ("tcp", 6379, "10.77.0.4", 7000))
    with listen(network.old, 7000) as old:
        old.settimeout(10)
        (pair,) = open_flows(network, old, 6379)
        assert len(loop.do(conntrack.flows(Proto.TCP, [6379]))) == 1
        assert walks
        for sock in pair:
            sock.close()
