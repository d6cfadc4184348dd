"""One side ends, the other goes on for as long as it likes (RFC 9293, section 3.6)."""

from __future__ import annotations

import contextlib
import socket

import pytest

from tests.ports import free_port
from tests.relay.peers import port_of, read_all, read_exactly
from tests.relay.running import route
from tests.wait import until

KINDS = ["tcp to tcp", "unix to unix", "tcp to unix", "unix to tcp"]


@pytest.fixture(params=KINDS)
def session(request, relay, peers, tmp_path):
    """A relayed connection: the client's socket and the upstream's."""
    outside, inside = request.param.split(" to ")
    listening = peers.listen(str(tmp_path / "in") if inside == "unix" else "127.0.0.1")
    behind = str(tmp_path / "in") if inside == "unix" else port_of(listening)
    front = str(tmp_path / "out") if outside == "unix" else free_port()
    relay.add(route(front, behind))
    client = peers.connect(front)
    return client, peers.accept(listening)


def ends(session, first):
    client, upstream = session
    return (client, upstream) if first == "client" else (upstream, client)


@pytest.fixture(params=["client", "upstream"])
def first(request):
    return request.param


def test_the_end_of_one_side_is_passed_on_and_the_other_goes_on(relay, session, first):
    one, other = ends(session, first)
    one.sendall(b"the last words")
    one.shutdown(socket.SHUT_WR)
    assert read_all(other) == b"the last words"
    for i in range(50):
        other.sendall(b"%d," % i)
        assert read_exactly(one, len(b"%d," % i)) == b"%d," % i
    assert relay.status().open == 1
    other.shutdown(socket.SHUT_WR)
    assert read_all(one) == b""
    until(lambda: relay.status().open == 0)


def test_a_late_answer_of_many_megabytes_arrives_whole(relay, session, first):
    one, other = ends(session, first)
    one.shutdown(socket.SHUT_WR)
    assert read_all(other) == b""
    answer = bytes(range(256)) * 4096 * 8
    other.setblocking(False)
    sent = 0
    received = bytearray()
    while len(received) < len(answer):
        with contextlib.suppress(BlockingIOError):
            sent += other.send(answer[sent : sent + 262144])
        received += one.recv(262144)
    assert received == answer
    other.close()
    assert read_all(one) == b""
    until(lambda: relay.status().open == 0)


def test_an_end_without_any_byte_is_passed_on(relay, session, first):
    one, other = ends(session, first)
    one.shutdown(socket.SHUT_WR)
    assert other.recv(1) == b""
    other.sendall(b"answer")
    other.close()
    assert read_all(one) == b"answer"
    until(lambda: relay.status().open == 0)


def test_a_side_that_sends_and_closes_at_once_loses_no_byte(relay, session, first):
    """Not even when the other reads late: the relay then holds bytes of a sender that is gone."""
    one, other = ends(session, first)
    words = bytes(range(256)) * 2048  # more than one unix socket's buffer takes
    one.sendall(words)
    one.close()
    assert read_all(other) == words
    other.close()
    until(lambda: relay.status().open == 0)


def test_both_ends_at_once_end_the_session(relay, session):
    client, upstream = session
    client.sendall(b"question")
    upstream.sendall(b"answer")
    client.shutdown(socket.SHUT_WR)
    upstream.shutdown(socket.SHUT_WR)
    assert read_all(client) == b"answer"
    assert read_all(upstream) == b"question"
    until(lambda: relay.status().open == 0)


def test_what_a_client_sends_before_the_upstream_is_connected_arrives(relay, peers):
    port, away = free_port(), free_port()
    relay.add(route(port, away))
    client = peers.connect(port)
    client.sendall(b"early")
    client.shutdown(socket.SHUT_WR)
    listening = peers.listen(port=away)
    upstream = peers.accept(listening)
    assert read_all(upstream) == b"early"
    upstream.sendall(b"answer")
    upstream.close()
    assert read_all(client) == b"answer"


def test_what_a_unix_client_leaves_behind_before_the_upstream_is_connected_arrives(
    relay, peers, tmp_path
):
    away = free_port()
    relay.add(route(str(tmp_path / "out"), away))
    client = peers.connect(str(tmp_path / "out"))
    client.sendall(b"early")
    client.close()
    until(lambda: relay.status().open == 1)
    upstream = peers.accept(peers.listen(port=away))
    assert read_all(upstream) == b"early"


def test_an_upstream_that_speaks_first_and_ends_is_heard(relay, peers):
    listening, port = peers.listen(), free_port()
    relay.add(route(port, port_of(listening)))
    for _ in range(50):
        client = peers.connect(port)
        upstream = peers.accept(listening)
        upstream.sendall(b"220 hello")
        upstream.close()
        assert read_all(client) == b"220 hello"
        client.close()
    until(lambda: relay.status().open == 0)
