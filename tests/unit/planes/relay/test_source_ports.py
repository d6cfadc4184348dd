"""Where connections come from, and what is done when no port is free."""

import errno
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from ambassador.planes.relay.source_ports import NoSourcePortError, SourcePorts, port_range
from tests.netns import Namespace
from tests.wait import until

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.fixture
def narrow():
    """A namespace in which the kernel has four ports to give."""
    net = Namespace()
    net.call(RANGE.write_text, "40000 40003")
    yield net
    net.close()


def listening(stack):
    return stack.enter_context(socket.create_server(("127.0.0.1", 5000), backlog=64))


def kept(stack, sock):
    stack.callback(sock.close)
    return sock


def connected(sock):
    until(lambda: sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0)
    return sock.getsockname()


def test_the_range_is_that_of_the_kernel():
    assert " ".join(map(str, port_range())).split() == RANGE.read_text().split()


def test_it_comes_from_the_addresses_given_in_turn():
    with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as server:
        ports = SourcePorts()
        sources = ["127.0.0.7", "::1", "127.0.0.8"]
        socks = [
            kept(stack, ports.connect(server.getsockname(), sources=sources)) for _ in range(4)
        ]
        assert {connected(sock)[0] for sock in socks} == {"127.0.0.7", "127.0.0.8"}


def test_an_address_this_host_does_not_have_is_said():
    with pytest.raises(OSError, match=r"does not have the source address 192\.0\.2\.1") as caught:
        SourcePorts().connect(("127.0.0.1", 9), sources=["192.0.2.1"])
    assert not isinstance(caught.value, NoSourcePortError)


@pytest.mark.root
def test_when_all_ports_are_open_it_says_so_once_and_with_the_sysctl(narrow, caplog):
    def work():
        with ExitStack() as stack:
            where = listening(stack).getsockname()
            ports = SourcePorts()
            for _ in range(4):
                connected(kept(stack, ports.connect(where)))
            for _ in range(3):
                with pytest.raises(NoSourcePortError, match="40000 40003") as caught:
                    ports.connect(where)
            assert caught.value.errno == errno.EADDRNOTAVAIL
            assert ports.is_short
            ((place, times, last),) = [(s.place, s.times, s.last) for s in ports.shortages]
            assert (place, times, ports.missed) == ("127.0.0.1:5000", 3, 3)
            assert time.time() - 10 < last <= time.time()

    narrow.call(work)
    (said,) = [one for one in caplog.records if one.event == "source_ports_short"]
    assert "net.ipv4.ip_local_port_range (40000-40003)" in said.getMessage()
    assert "net.ipv4.tcp_tw_reuse=1" in said.getMessage()


@pytest.mark.root
def test_more_source_addresses_give_more_connections(narrow):
    def work():
        with ExitStack() as stack:
            where = listening(stack).getsockname()
            ports = SourcePorts()
            sources = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
            names = {
                connected(kept(stack, ports.connect(where, sources=sources))) for _ in range(12)
            }
            assert len(names) == 12
            with pytest.raises(NoSourcePortError):
                ports.connect(where, sources=sources)

    narrow.call(work)


@pytest.mark.root
def test_ports_of_connections_that_are_over_are_used_again(narrow):
    def work():
        Path("/proc/sys/net/ipv4/tcp_tw_reuse").write_text("0")
        with ExitStack() as stack:
            server = listening(stack)
            ports = SourcePorts()
            for _ in range(20):
                sock = ports.connect(server.getsockname())
                connected(sock)
                accepted, _ = server.accept()
                sock.close()  # first, so that its port waits in TIME_WAIT
                with accepted:
                    assert accepted.recv(1) == b""

    narrow.call(work)


@pytest.mark.root
def test_datagrams_without_a_free_port_are_told_apart(narrow):
    def work():
        with ExitStack() as stack:
            ports = SourcePorts()
            for port in range(9, 13):
                kept(stack, ports.connect(("127.0.0.1", port), socket.SOCK_DGRAM))
            with pytest.raises(NoSourcePortError):
                ports.connect(("127.0.0.1", 13), socket.SOCK_DGRAM)

    narrow.call(work)
