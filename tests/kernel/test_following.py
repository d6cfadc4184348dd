"""The end of each session in the kernel is told when it happens, with who ended it."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

import pytest

from ambassador.model import Endpoint, Inet, Proto, Reason, Route
from ambassador.planes.kernel.conntrack import DELETE
from ambassador.planes.kernel.flows import Flows
from ambassador.planes.kernel.messages import ACK, message
from ambassador.planes.kernel.netlink import NetlinkSocket
from ambassador.ports import SessionRecord
from tests.kernel.forwarding import forward
from tests.kernel.peers import listen, open_flows, times_of_resets, udp
from tests.wait import until

OLD, OLD6 = "10.77.0.4", "fd77::4"
ROUTES = {
    (Proto.TCP, 6379): Route("redis", Inet("", 6379), (Endpoint(Inet(OLD, 7000)),)),
    (Proto.UDP, 53): Route("dns", Inet("", 53), (Endpoint(Inet(OLD, 7053), Proto.UDP),), Proto.UDP),
}
ADDRESSES = {
    port: {(one.address.host, one.address.port) for one in route.endpoints}
    for port, route in ROUTES.items()
}
CROWD = 12_000
RESET = struct.pack("ii", 1, 0)


@pytest.fixture
def told(network, loop):
    """What is told, from before the first flow on. Conntrack forgets nothing by itself soon."""
    forward(network, ("tcp", 6379, OLD, 7000), ("tcp", 6379, OLD6, 7000), ("udp", 53, OLD, 7053))
    records = []
    flows = loop.call(lambda: Flows(can_cut=True, closed=records.append, followed=True))
    loop.call(flows.open, ROUTES.get)
    yield Told(records, flows)
    loop.call(flows.close)


class Told(NamedTuple):
    records: list[SessionRecord]
    flows: Flows

    def one(self) -> SessionRecord:
        """Return the only record, once it is there: within the time of a TIME_WAIT by far."""
        until(lambda: self.records, 3)
        (record,) = self.records
        return record


@pytest.fixture
def old(network):
    with listen(network.old, 7000) as listening:
        listening.settimeout(10)
        yield listening


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("first", [Reason.CLIENT, Reason.UPSTREAM])
def test_who_ended_it_first_is_told_at_the_end(network, told, old, first, family):
    ((client, upstream),) = open_flows(network, old, 6379, family=family)
    name = client.getsockname()
    client.sendall(bytes(1000))
    upstream.recv(1000, socket.MSG_WAITALL)
    sides = (client, upstream) if first is Reason.CLIENT else (upstream, client)
    sides[0].shutdown(socket.SHUT_WR)
    assert sides[1].recv(1) == b""
    sides[1].sendall(b"late")
    assert sides[0].recv(4, socket.MSG_WAITALL) == b"late"
    assert told.records == []
    sides[1].close()
    record = told.one()
    sides[0].close()
    assert (record.reason, record.route, record.plane) == (first, "redis", "kernel")
    assert record.client == (f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}")
    assert record.to_upstream > 1008
    assert 0 < record.to_client < 1000
    assert 0 < record.total < 10


@pytest.mark.parametrize("by", ["client", "upstream"])
def test_a_reset_is_told_as_one(network, told, old, by):
    (pair,) = open_flows(network, old, 6379)
    resetting = pair[by == "upstream"]
    resetting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    resetting.close()
    assert told.one().reason is Reason.RESET
    for sock in pair:
        sock.close()


def test_it_is_told_once_however_its_entry_ends(network, loop, told, old):
    network.ambassador.sysctl(net__netfilter__nf_conntrack_tcp_timeout_time_wait=1)
    for sock in open_flows(network, old, 6379)[0]:
        sock.close()
    told.one()

    def count():
        return int(network.ambassador.run("cat", "/proc/sys/net/netfilter/nf_conntrack_count"))

    until(lambda: count() == 0, 20, "conntrack has forgotten it")
    ((client, upstream),) = open_flows(network, old, 6379)
    client.close()
    upstream.close()
    until(lambda: len(told.records) >= 2)
    assert len({record.client for record in told.records}) == len(told.records) == 2


def test_what_we_cut_has_our_reason(network, loop, told, old):
    pairs = open_flows(network, old, 6379)
    flows = loop.do(told.flows.open_flows(ADDRESSES))
    loop.do(told.flows.cut(flows, Reason.CUT))
    assert told.one().reason is Reason.CUT
    times_of_resets(pairs)
    for sock in pairs[0]:
        sock.close()


def test_a_client_that_is_refused_had_no_session(network, told):
    with network.client.socket() as sock, pytest.raises(ConnectionRefusedError):
        sock.connect((network.address("ambassador"), 6379))
    with listen(network.old, 7000) as listening:
        listening.settimeout(10)
        for sock in open_flows(network, listening, 6379)[0]:
            sock.close()
    assert told.one().to_upstream > 200  # all that of a connection


def test_datagrams_are_told_of_when_they_are_forgotten(network, loop, told):
    upstream = udp(network.old, 7053)
    client = network.client.socket(kind=socket.SOCK_DGRAM)
    client.sendto(b"hello", (network.address("ambassador"), 53))
    upstream.recv(5)
    flows = loop.do(told.flows.open_flows(ADDRESSES))
    loop.do(told.flows.cut(flows, Reason.CUT))
    record = told.one()
    assert (record.proto, record.reason) == (Proto.UDP, Reason.CUT)
    assert record.to_upstream == 20 + 8 + 5  # headers of IPv4 and UDP, and "hello"
    upstream.close()
    client.close()


def speak(ports):
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("", port))
            sock.sendto(b"?", ("10.77.0.2", 53))


def delete_all(netlink):
    netlink.perform([message(DELETE, ACK, netlink.sequence(), socket.AF_INET, b"")])


def lost(caplog, what="sessions"):
    said = [one.fields for one in caplog.records if one.event == "flow_events_lost"]
    return sum(one[what] for one in said)


def one_more(network, old, told):
    """A session that begins and ends after all that has its line."""
    before = len(told.records)
    for sock in open_flows(network, old, 6379)[0]:
        sock.close()
    until(lambda: len(told.records) > before, 10)
    assert told.records[-1].route == "redis"


@pytest.fixture
def crowd(network, loop, told, caplog):
    """So many UDP flows that the end of all does not fit into the buffer, each heard of."""
    caplog.set_level("WARNING", "ambassador")
    network.ambassador.run("sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=300")
    for first in range(10_000, 10_000 + CROWD, 1000):
        network.client.call(speak, range(first, first + 1000))
        loop.do(told.flows._following._hearing.catch_up())
    assert not lost(caplog, "events")


def test_after_ends_were_lost_later_ones_are_told_and_lost_ones_counted(
    network, loop, told, old, crowd, caplog
):
    """More at once than fits: the loop does not come to read."""
    loop.call(lambda: delete_all(told.flows._conntrack._netlink))
    until(lambda: lost(caplog) and len(told.records) + lost(caplog) == CROWD, 30)
    one_more(network, old, told)
    assert len(told.records) - 1 + lost(caplog) == CROWD


def test_what_others_delete_by_thousands_has_its_line_or_is_counted(
    network, loop, told, old, crowd, caplog
):
    def forget():
        flushing = NetlinkSocket()
        delete_all(flushing)
        flushing.close()

    loop.call(forget)
    until(lambda: len(told.records) + lost(caplog) == CROWD, 30)
    one_more(network, old, told)


def test_what_began_and_ended_while_events_were_lost_has_its_line(network, loop, told, old, caplog):
    """The table still knows of them when it is asked."""
    caplog.set_level("WARNING", "ambassador")
    clients = []

    def meanwhile():
        network.client.call(speak, range(10_000, 10_000 + CROWD))
        for _ in range(20):
            ((client, upstream),) = open_flows(network, old, 6379)
            clients.append(client.getsockname()[1])
            client.close()
            upstream.close()

    loop.call(meanwhile)
    until(lambda: len(told.records) == 20, 10)
    until(lambda: lost(caplog, "events"))
    assert sorted(int(one.client.rpartition(":")[2]) for one in told.records) == sorted(clients)
    assert {one.reason for one in told.records} == {Reason.CLIENT}
    assert lost(caplog) == 0
    one_more(network, old, told)
