"""What needs a network of its own: odd port ranges, silent hosts, exact counters."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from pathlib import Path

import pytest

from ambassador.model import Endpoint, Inet, Proto
from ambassador.sockets import bind, inherited
from tests.netns import Namespace
from tests.ports import free_port
from tests.relay.peers import Peers, is_reset, read_exactly
from tests.relay.running import RunningRelay, route
from tests.wait import until

pytestmark = pytest.mark.root


@pytest.fixture
def isolated(loop_factory):
    """Run a test's work with a relay and sockets in a namespace of their own."""

    def isolate(work):
        def working():
            relay, peers = RunningRelay(loop_factory), Peers()
            try:
                work(relay, peers)
            finally:
                peers.close()
                relay.close()

        net.call(working)

    net = Namespace()
    yield isolate
    net.close()


def run(*command):
    """Run a command in the namespace of the calling thread."""
    subprocess.run(command, check=True, timeout=10, stdin=subprocess.DEVNULL)


def narrow_ephemeral_range(port):
    """Make `port` the only one the kernel gives to outgoing connections (ip(7))."""
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text(f"{port} {port}")


def silent_host():
    """Make 10.9.9.9 a host that takes everything and answers nothing."""
    run("ip", "link", "add", "void0", "type", "veth", "peer", "name", "void1")
    run("ip", "address", "add", "10.9.9.1/24", "dev", "void0")
    for end in ("void0", "void1"):
        run("ip", "link", "set", end, "up")
    run("ip", "neighbour", "add", "10.9.9.9", "lladdr", "02:00:00:00:00:09", "dev", "void0")


def counters():
    """Return what the kernel counts of TCP in this namespace."""
    lines = Path("/proc/thread-self/net/netstat").read_text().splitlines()
    names, values = (line.split()[1:] for line in lines[:2])
    return dict(zip(names, map(int, values), strict=True))


def test_a_connection_never_leads_to_itself(isolated, caplog, tmp_path):
    def work(relay, peers):
        narrow_ephemeral_range(40000)
        relay.add(route(str(tmp_path / "out"), 40000, connect=0.5))
        client = peers.connect(str(tmp_path / "out"))
        with contextlib.suppress(ConnectionResetError):
            client.sendall(b"echo?")
            assert client.recv(5) == b""
        assert relay.status().refused == 1

    isolated(work)
    assert "127.0.0.1:40000: connection refused" in caplog.text


def test_a_flow_never_leads_to_itself(isolated, caplog):
    def work(relay, peers):
        port = free_port()
        narrow_ephemeral_range(40000)
        relay.add(route(port, 40000, proto=Proto.UDP))
        client = peers.datagrams(port=free_port())
        client.sendto(b"echo?", ("127.0.0.1", port))
        until(lambda: relay.status().refused == 1)
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(10)

    isolated(work)
    assert "connection refused" in caplog.text


def test_a_silent_host_costs_connect_and_no_more(isolated, caplog):
    def work(relay, peers):
        silent_host()
        port = free_port()
        relay.add(route(port, "10.9.9.9:6379", connect=0.8))
        began = time.monotonic()
        assert is_reset(peers.connect(port))
        assert 0.8 <= time.monotonic() - began < 2

    isolated(work)
    assert "cannot reach tcp://10.9.9.9:6379: it does not answer" in caplog.text


def test_a_silent_address_leaves_time_for_the_next_of_the_same_name(isolated):
    def work(relay, peers):
        silent_host()
        echo, port = peers.echo(), free_port()
        relay.call(relay.resolver.answer, "db", "10.9.9.9", "127.0.0.1")
        relay.add(route(port, f"db:{echo.port}", connect=2.0))
        client = peers.connect(port)
        client.sendall(b"question")
        assert read_exactly(client, 8) == b"question"

    isolated(work)


def test_a_client_that_leaves_a_silent_host_leaves_no_connection(isolated):
    def work(relay, peers):
        silent_host()
        port = free_port()
        relay.add(route(port, "10.9.9.9:6379", connect=30.0))
        client = peers.connect(port)
        until(lambda: _syn_sent() == 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        client.close()
        until(lambda: _syn_sent() == 0)
        until(lambda: relay.status().open == 0)

    isolated(work)


def _syn_sent():
    lines = Path("/proc/thread-self/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[3] == "02" for line in lines)


def test_a_host_without_a_route_is_a_reason(isolated, caplog):
    def work(relay, peers):
        port = free_port()
        relay.add(route(port, "10.9.9.9:6379", connect=0.2))
        assert is_reset(peers.connect(port))

    isolated(work)
    assert "10.9.9.9:6379: network is unreachable" in caplog.text


def test_the_kernel_drops_no_connection_of_a_thousand_at_once(isolated):
    def work(relay, peers):
        echo, port = peers.echo(), free_port()
        relay.add(route(port, echo.port))
        clients = []
        for _ in range(1000):
            client = peers.keep(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            clients.append(client)
        for client in clients:
            client.settimeout(10)
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        found = counters()
        assert (found["ListenOverflows"], found["ListenDrops"], found["TCPTimeouts"]) == (0, 0, 0)

    isolated(work)


def test_without_ipv6_a_route_listens_on_ipv4(isolated, monkeypatch):
    for module in (bind, inherited):
        monkeypatch.setattr(module, "dual_stack", lambda: False)

    def work(relay, peers):
        echo, port = peers.echo(), free_port()
        service, flow = peers.datagrams(), free_port()
        relay.add(
            route(port, echo.port),
            route(flow, service.getsockname()[1], proto=Proto.UDP, name="flow"),
        )
        client = peers.connect(port)
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        asking = peers.datagrams()
        asking.sendto(b"question", ("127.0.0.2", flow))
        data, address = service.recvfrom(100)
        service.sendto(data, address)
        assert asking.recvfrom(100) == (b"question", ("127.0.0.2", flow))
        with pytest.raises(ConnectionRefusedError):
            peers.connect(port, "::1")

    isolated(work)


def test_a_flow_to_a_host_without_a_route_goes_to_the_next_endpoint(isolated):
    def work(relay, peers):
        service, port = peers.datagrams(), free_port()
        relay.add(
            route(
                port,
                Endpoint(Inet("10.9.9.9", 53), Proto.UDP),
                Endpoint(Inet("127.0.0.1", service.getsockname()[1]), Proto.UDP),
                proto=Proto.UDP,
                pick="first",
            )
        )
        peers.datagrams().sendto(b"question", ("127.0.0.1", port))
        assert service.recv(100) == b"question"

    isolated(work)


def test_an_answer_to_a_broadcast_comes_from_an_address_of_the_host(isolated):
    def work(relay, peers):
        run("ip", "link", "add", "left0", "type", "veth", "peer", "name", "right0")
        run("ip", "address", "add", "10.9.9.1/24", "dev", "left0")
        run("ip", "link", "set", "left0", "up")
        run("ip", "link", "set", "right0", "up")
        service, port = peers.datagrams(), free_port()
        relay.add(route(port, service.getsockname()[1], proto=Proto.UDP))
        client = peers.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.bind(("10.9.9.1", 0))
        client.sendto(b"question", ("10.9.9.255", port))
        data, address = service.recvfrom(100)
        service.sendto(data, address)
        assert client.recvfrom(100) == (b"question", ("10.9.9.1", port))

    isolated(work)
