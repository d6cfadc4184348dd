"""Bytes: all of them, in order, and never more of them in memory than was promised."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import select
import socket
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.relay.bulk import MIB, Transfer, checksum, receive, send
from tests.relay.peers import port_of, read_exactly
from tests.relay.running import RunningRelay, route
from tests.wait import until


def resident() -> int:
    """Return the bytes of memory this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def connected(relay, peers, buffers=None):
    listening, port = peers.listen(), free_port()
    relay.add(route(port, port_of(listening), name=f"demo{port}"))
    client = peers.connect(port, **(buffers or {}))
    return client, peers.accept(listening)


def send_until_held_back(sock: socket.socket, most: int) -> int:
    """Send until nothing more is taken; return how many bytes were."""
    sock.setblocking(False)
    sent, piece = 0, bytes(65536)
    while sent < most and select.select([], [sock], [], 0.3)[1]:
        sent += sock.send(piece)
    return sent


@pytest.mark.timeout(120)
def test_256_mib_each_way_at_once_arrive_unchanged(relay, peers):
    client, upstream = connected(relay, peers)
    for sock in (client, upstream):
        sock.settimeout(60)
    senders = [Transfer(lambda: send(client, 256)), Transfer(lambda: send(upstream, 256, 1000))]
    receivers = [Transfer(lambda: receive(upstream)), Transfer(lambda: receive(client))]
    assert [transfer.result(100) for transfer in receivers] == [checksum(256), checksum(256, 1000)]
    for sender in senders:
        sender.result()
    (status,) = relay.call(relay.plane.status)
    assert (status.to_upstream, status.to_client) == (256 * MIB, 256 * MIB)


@pytest.mark.parametrize("slow", ["client", "upstream"])
def test_a_slow_reader_blocks_the_sender_and_fills_no_memory(relay, peers, slow):
    client, upstream = connected(relay, peers)
    reader, sender = (client, upstream) if slow == "client" else (upstream, client)
    before = resident()
    sent = send_until_held_back(sender, 128 * MIB)
    assert sent < 32 * MIB  # what four kernel buffers take, and the relay's own
    assert resident() - before < 8 * MIB
    received = 0
    sender.shutdown(socket.SHUT_WR)
    while data := reader.recv(MIB):
        received += len(data)
    assert received == sent


def test_the_buffer_of_a_session_is_as_large_as_was_asked(start_relay, peers):
    relay = start_relay(buffer=65536)
    pairs = [connected(relay, peers, {"SO_SNDBUF": 65536}) for _ in range(8)]
    before = resident()
    for client, _ in pairs:
        assert send_until_held_back(client, 64 * MIB) < 32 * MIB
    # 64 KiB and one read, of twice as much, each
    assert resident() - before < 8 * (320 << 10) + 4 * MIB
    for client, upstream in pairs:
        client.close()
        upstream.close()
    until(lambda: all(status.open == 0 for status in relay.call(relay.plane.status)))


def test_one_slow_reader_slows_nobody_else(relay, peers):
    slow_client, _ = connected(relay, peers)
    client, upstream = connected(relay, peers)
    send_until_held_back(slow_client, 64 * MIB)
    for _ in range(100):
        client.sendall(b"question")
        assert read_exactly(upstream, 8) == b"question"


@pytest.mark.parametrize("sender", ["client", "upstream"])
def test_single_bytes_are_not_held_back_and_keep_their_order(relay, peers, sender):
    client, upstream = connected(relay, peers)
    one, other = (client, upstream) if sender == "client" else (upstream, client)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for value in range(2000):
        one.sendall(bytes([value % 256]))
        assert other.recv(1) == bytes([value % 256])


def test_single_bytes_one_way_without_waiting_arrive_in_order(relay, peers):
    client, upstream = connected(relay, peers)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    words = bytes(range(256)) * 20
    writer = Transfer(lambda: [client.send(words[i : i + 1]) for i in range(len(words))] and None)
    assert read_exactly(upstream, len(words)) == words
    writer.result()


def test_many_that_stand_still_hold_no_more_than_the_bound_and_others_are_carried(peers):
    relay = RunningRelay(asyncio.new_event_loop, memory=1 << 20)
    try:
        listening, port = peers.listen(), free_port()
        echo, other = peers.echo(), free_port()
        relay.add(route(port, port_of(listening)), route(other, echo.port, name="other"))
        clients = []
        for _ in range(40):
            client = peers.connect(port)
            clients.append((client, peers.accept(listening)))
            client.setblocking(False)
        still = 0
        while still < 3:
            sent = 0
            for client, _ in clients:
                with contextlib.suppress(BlockingIOError):
                    sent += client.send(bytes(1 << 18))
            still = 0 if sent else still + 1
            relay.call(lambda: None)
        held, bound = relay.call(lambda: relay.plane.buffered)
        assert bound == 1 << 20
        assert (1 << 19) < held <= bound + 40 * (4096 + 4096)
        fine = peers.connect(other)
        fine.sendall(bytes(1 << 20))
        assert read_exactly(fine, 1 << 20) == bytes(1 << 20)
        for client, upstream in clients:
            client.close()
            upstream.close()
        until(lambda: relay.call(lambda: relay.plane.buffered)[0] == 0)
    finally:
        relay.close()
