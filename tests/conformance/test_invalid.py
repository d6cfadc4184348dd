"""A segment out of the window ends no connection: what networks deliver late, or twice."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

from ambassador.model import Inet
from ambassador.planes.kernel.poke import segment
from ambassador.planes.kernel.vanished import VanishedFlows
from tests.conformance.ambassador import route
from tests.conformance.scene import ends_with_reset, works
from tests.wait import until

FAMILIES = [socket.AF_INET, socket.AF_INET6]
ACK, PUSH, FIN = 0x10, 0x08, 0x01


# Of linux/tcp.h; the queues of a socket under repair, whose numbers can be read.
REPAIR, REPAIR_QUEUE, QUEUE_SEQ = 19, 20, 21
RECEIVE_QUEUE, SEND_QUEUE, OFF_AND_SAY_NOTHING = 1, 2, -1


def numbers(sock):
    """Return what `sock` would send next, and what it expects next."""

    def number(queue):
        sock.setsockopt(socket.IPPROTO_TCP, REPAIR_QUEUE, queue)
        return sock.getsockopt(socket.IPPROTO_TCP, QUEUE_SEQ) & 0xFFFFFFFF

    sock.setsockopt(socket.IPPROTO_TCP, REPAIR, 1)
    found = number(SEND_QUEUE), number(RECEIVE_QUEUE)
    sock.setsockopt(socket.IPPROTO_TCP, REPAIR, OFF_AND_SAY_NOTHING)
    return found


def stray(namespace, sock, flags):
    """Send a segment of the connection of `sock`, 3 MB out of the window."""
    family = socket.AF_INET6 if ":" in plain(sock.getsockname())[0] else socket.AF_INET
    source, destination = plain(sock.getsockname()), plain(sock.getpeername())
    next_one, expected = numbers(sock)
    late = (next_one + 3_000_000) & 0xFFFFFFFF, expected
    with namespace.call(socket.socket, family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(segment(family, source, destination, flags, late), (destination[0], 0))


def plain(name):
    return name[0].removeprefix("::ffff:"), name[1]


@pytest.mark.parametrize("loose", [0, 1])
@pytest.mark.parametrize("flags", [ACK, ACK | PUSH, ACK | FIN])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_segment_out_of_the_window_ends_no_connection(scene, ambassador, family, flags, loose):
    scene.network.ambassador.sysctl(net__netfilter__nf_conntrack_tcp_loose=loose)
    # This host would drop such segments on their way over its bridge.
    scene.network.host.run("nft", "delete", "table", "ip", "published")
    host = scene.network.address("old", family)
    ambassador.set(route(Inet("", 6379), f"[{host}]:7000" if ":" in host else f"{host}:7000"))
    listening = scene.endpoint()
    client, upstream = scene.session(listening, family=family)
    works(client, upstream)
    for namespace, sock in ((scene.network.client, client), (scene.network.old, upstream)):
        for _ in range(5):  # what is delivered late comes in one go
            stray(namespace, sock, flags)
        works(client, upstream)


@pytest.mark.parametrize("family", FAMILIES)
def test_nor_do_many_that_come_one_after_the_other(scene, ambassador, family):
    """With strict tracking each looks like one of a connection that nobody has any longer."""
    scene.network.ambassador.sysctl(net__netfilter__nf_conntrack_tcp_loose=0)
    scene.network.host.run("nft", "delete", "table", "ip", "published")
    host = scene.network.address("old", family)
    ambassador.set(route(Inet("", 6379), f"[{host}]:7000" if ":" in host else f"{host}:7000"))
    client, upstream = scene.session(scene.endpoint(), family=family)
    works(client, upstream)
    for _ in range(6):
        for namespace, sock in ((scene.network.client, client), (scene.network.old, upstream)):
            stray(namespace, sock, ACK | PUSH)
        apart = time.monotonic() + 0.2
        until(lambda apart=apart: time.monotonic() > apart)
        works(client, upstream)


@pytest.fixture
def unheeded(monkeypatch):
    """Nobody hears of what conntrack forgets, and enters it again."""
    monkeypatch.setattr(VanishedFlows, "open", lambda _: None)


@pytest.mark.parametrize("loose", [0, 1])
def test_a_connection_that_nobody_has_any_longer_is_still_reset(unheeded, scene, ambassador, loose):
    """As after a crash of the machine in between: the client has to hear of it."""
    scene.network.ambassador.sysctl(net__netfilter__nf_conntrack_tcp_loose=loose)
    ambassador.set(route(6379, "10.77.0.4:7000"))
    client, upstream = scene.session(scene.endpoint())
    works(client, upstream)
    ambassador.forget_flows()
    with contextlib.suppress(ConnectionResetError):
        client.sendall(b"are you there?")
    if ambassador.plane == "relay":
        assert upstream.recv(14) == b"are you there?"
    else:
        assert ends_with_reset(client)
