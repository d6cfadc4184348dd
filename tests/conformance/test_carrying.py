"""Bytes and datagrams pass, from wherever the consumer is."""

from __future__ import annotations

import hashlib
import socket
import threading
import time

import pytest

from ambassador.model import Inet, Proto
from tests.conformance.ambassador import route
from tests.conformance.scene import CONSUMERS, ends_with_reset, reset, works
from tests.wait import until

IPV6 = socket.AF_INET6
TO_OLD = "10.77.0.4:7000"
TO_OLD6 = "[fd77::4]:7000"


@pytest.mark.parametrize(
    ("consumer", "family"),
    [(consumer, socket.AF_INET) for consumer in CONSUMERS]
    # Docker publishes a port of IPv6 by a process of its own: "the host" to us.
    + [(consumer, IPV6) for consumer in CONSUMERS if consumer != "published port"],
    ids=lambda value: {socket.AF_INET: "IPv4", IPV6: "IPv6"}.get(value, value),
)
def test_every_consumer_is_carried(scene, ambassador, consumer, family):
    listening = scene.endpoint()
    ambassador.set(route(6379, TO_OLD6 if family == IPV6 else TO_OLD))
    began = time.monotonic()
    client, upstream = scene.session(listening, consumer=consumer, family=family)
    if consumer == "loopback":  # not by the kernel first, in vain: a SYN is repeated after 1 s
        assert time.monotonic() - began < 0.9
    works(client, upstream)
    fast = len(ambassador.flows([6379]))
    assert fast == (ambassador.plane == "kernel" and consumer != "loopback")
    client.shutdown(socket.SHUT_WR)
    assert upstream.recv(1) == b""
    upstream.sendall(b"goodbye")
    upstream.close()
    assert client.recv(8, socket.MSG_WAITALL) == b"goodbye"


@pytest.mark.parametrize("first", ["client", "upstream"])
def test_the_end_of_one_side_leaves_the_other_open(scene, ambassador, first):
    listening = scene.endpoint()
    ambassador.set(route(6379, TO_OLD))
    client, upstream = scene.session(listening)
    one, other = (client, upstream) if first == "client" else (upstream, client)
    one.sendall(b"the last words")
    one.shutdown(socket.SHUT_WR)
    assert other.recv(14, socket.MSG_WAITALL) == b"the last words"
    assert other.recv(1) == b""
    for number in range(100):
        other.sendall(b"%4d" % number)
        assert one.recv(4, socket.MSG_WAITALL) == b"%4d" % number
    other.shutdown(socket.SHUT_WR)
    assert one.recv(1) == b""


@pytest.mark.timeout(60)
def test_silence_and_a_late_answer_do_no_harm(scene, ambassador):
    """The kernel's own patience is cut down to 2 s; ours is not."""
    for state in ("established", "fin_wait", "close_wait", "last_ack"):
        scene.network.ambassador.sysctl(**{f"net__netfilter__nf_conntrack_tcp_timeout_{state}": 2})
    listening = scene.endpoint()
    ambassador.set(route(6379, TO_OLD, name="four"), route(6380, TO_OLD6, name="six"))
    sessions = {}
    for family, port in ((socket.AF_INET, 6379), (IPV6, 6380)):
        for kind in ("idle", "client ended", "upstream ended"):
            client, upstream = scene.session(listening, port, family=family)
            sessions[family, kind] = client, upstream
            works(client, upstream)
            if kind == "client ended":
                client.shutdown(socket.SHUT_WR)
                assert upstream.recv(1) == b""
            elif kind == "upstream ended":
                upstream.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""
    time.sleep(6)  # three times the kernel's patience: this is what is tested
    for (_, kind), (client, upstream) in sessions.items():
        if kind == "idle":
            works(client, upstream)
        one, other = (client, upstream) if kind == "upstream ended" else (upstream, client)
        one.sendall(b"better late than never")
        one.shutdown(socket.SHUT_WR)
        assert other.recv(32, socket.MSG_WAITALL) == b"better late than never"


@pytest.mark.parametrize("first", ["client", "upstream"])
def test_a_reset_arrives_as_a_reset(scene, ambassador, first):
    listening = scene.endpoint()
    ambassador.set(route(6379, TO_OLD))
    client, upstream = scene.session(listening)
    works(client, upstream)
    one, other = (client, upstream) if first == "client" else (upstream, client)
    reset(one)
    assert ends_with_reset(other)


@pytest.mark.parametrize("first", ["client", "upstream"])
def test_64_megabytes_arrive_as_they_were_sent(scene, ambassador, first):
    listening = scene.endpoint()
    ambassador.set(route(6379, TO_OLD))
    client, upstream = scene.session(listening)
    source, sink = (client, upstream) if first == "client" else (upstream, client)
    chunk = bytes(range(256)) * 4096
    sent, received = hashlib.sha256(), hashlib.sha256()

    def send() -> None:
        for number in range(64):
            piece = bytes([number]) + chunk[1:]
            sent.update(piece)
            source.sendall(piece)
        source.shutdown(socket.SHUT_WR)

    sending = threading.Thread(target=send)
    sending.start()
    total = 0
    while data := sink.recv(1 << 20):
        received.update(data)
        total += len(data)
    sending.join()
    assert total == 64 << 20
    assert received.digest() == sent.digest()


@pytest.mark.parametrize("family", [socket.AF_INET, IPV6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("consumer", ["bridge", "another host", "sidecar", "loopback"])
@pytest.mark.parametrize("size", [5, 65_507])
def test_datagrams_are_answered_from_the_address_they_were_sent_to(
    scene, ambassador, family, consumer, size
):
    endpoint = scene.datagrams()
    host = "[fd77::4]" if family == IPV6 else "10.77.0.4"
    ambassador.set(route(53, f"{host}:7053", name="dns", proto=Proto.UDP))
    size -= 20 if family == IPV6 and size > 60_000 else 0
    for _ in range(2):  # two clients at once are told apart
        client = scene.dial(consumer, 53, family, socket.SOCK_DGRAM)
        client.send(bytes(size))
        data, back = endpoint.recvfrom(65_536)
        assert len(data) == size
        endpoint.sendto(data, back)
        assert len(client.recv(65_536)) == size  # it is connected: another sender is not heard


def test_two_routes_do_not_get_in_each_other_s_way(scene, ambassador):
    first, second = scene.endpoint("old"), scene.endpoint("new", 7001)
    ambassador.set(
        route(6379, TO_OLD, name="redis"), route(5432, "10.77.0.5:7001", name="postgres")
    )
    sessions = [scene.session(first, 6379) for _ in range(3)]
    sessions += [scene.session(second, 5432) for _ in range(3)]
    for session in sessions:
        works(*session)
    ambassador.set(route(6379, TO_OLD, name="redis"))
    for session in sessions:
        works(*session)
    with pytest.raises(ConnectionRefusedError):
        scene.dial("bridge", 5432)


def test_a_range_leads_port_by_port(scene, ambassador):
    endpoints = {port: scene.endpoint("old", port) for port in range(7000, 7005)}
    ambassador.set(route(Inet("", 9000, 9004), TO_OLD))
    for port in range(9000, 9005):
        works(*scene.session(endpoints[port - 2000], port))


def test_several_endpoints_are_used_evenly(scene, ambassador):
    old, new = scene.endpoint("old"), scene.endpoint("new")
    ambassador.set(route(6379, TO_OLD, "10.77.0.5:7000"))
    for sock in (old, new):
        sock.settimeout(1)
    clients = [scene.dial("bridge", 6379) for _ in range(20)]
    accepted = [[scene.accept(sock) for _ in range(10)] for sock in (old, new)]
    assert len(clients) == sum(map(len, accepted))
    for upstream in accepted[0] + accepted[1]:
        upstream.sendall(b"hello")
    assert all(client.recv(5, socket.MSG_WAITALL) == b"hello" for client in clients)


def test_sessions_and_bytes_are_counted(scene, ambassador):
    listening = scene.endpoint()
    ambassador.set(route(6379, TO_OLD))
    first, second = scene.session(listening), scene.session(listening)
    client, upstream = first
    client.sendall(bytes(100_000))
    upstream.recv(100_000, socket.MSG_WAITALL)
    upstream.sendall(bytes(5_000))
    client.recv(5_000, socket.MSG_WAITALL)
    works(*second)
    status = until(  # a worker without a turn for a second leaves old numbers of bytes
        lambda: (found := ambassador.status()).to_upstream > 100_000 and found, 5
    )
    assert (status.opened, status.open) == (2, 2)
    assert 100_000 < status.to_upstream < 120_000
    assert 5_000 < status.to_client < 10_000
