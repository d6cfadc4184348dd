"""A thousand clients at once: none is lost, none has to ask a second time."""

from __future__ import annotations

import socket
import struct
import time

import pytest

from tests.ports import free_port
from tests.relay.peers import read_exactly
from tests.relay.running import descriptors, route
from tests.wait import until

CLIENTS = 1000


def retransmissions(sock: socket.socket) -> int:
    """Return tcpi_total_retrans, the 24th number after 8 bytes in tcp_info (linux/tcp.h)."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return struct.unpack_from("=I", info, 8 + 23 * 4)[0]


@pytest.mark.parametrize("where", ["tcp", "unix"])
def test_a_thousand_clients_at_once_are_all_served_and_none_waits(relay, peers, where, tmp_path):
    echo = peers.echo()
    front = free_port() if where == "tcp" else str(tmp_path / "out")
    relay.add(route(front, echo.port))
    with peers.connect(front) as first:  # libuv opens a spare descriptor with its first stream
        first.sendall(b"x")
        assert first.recv(1) == b"x"
    until(lambda: relay.status().open == 0 and echo.open == 0)
    before = descriptors()
    clients = []
    for _ in range(CLIENTS):
        if where == "tcp":
            client = peers.keep(socket.socket())
            client.setblocking(False)
            assert client.connect_ex(("127.0.0.1", front)) in (0, 115)
            clients.append(client)
        else:
            clients.append(peers.connect(front))
    began = time.monotonic()
    for number, client in enumerate(clients):
        client.settimeout(10)
        client.sendall(b"%04d" % number)
    for number, client in enumerate(clients):
        assert read_exactly(client, 4) == b"%04d" % number
    assert time.monotonic() - began < 5
    if where == "tcp":  # a lost SYN is repeated after a second (tcp(7), RFC 6298)
        assert [retransmissions(client) for client in clients] == [0] * CLIENTS
    status = relay.status()
    assert (status.opened, status.open, status.refused) == (1 + CLIENTS, CLIENTS, 0)
    assert echo.open == CLIENTS
    for client in clients:
        client.close()
    until(lambda: relay.status().open == 0)
    until(lambda: descriptors() <= before)


def test_a_backlog_the_kernel_cuts_short_is_said(start_relay, caplog, monkeypatch):
    monkeypatch.setattr("ambassador.planes.relay.binding.somaxconn", lambda: 128)
    start_relay(backlog=4096)
    assert "net.core.somaxconn is 128" in caplog.text
    assert "sysctl net.core.somaxconn=4096" in caplog.text


def test_a_backlog_the_kernel_grants_is_not_spoken_of(start_relay, caplog):
    start_relay(backlog=128)
    assert caplog.text == ""
