"""A reset is passed on as a reset: the other side must not take a broken answer for a whole one."""

from __future__ import annotations

import select
import socket

import pytest

from ambassador.planes.relay.options import unacknowledged
from tests.ports import free_port
from tests.relay.peers import is_reset, port_of, read_all, read_exactly, reset
from tests.relay.running import route
from tests.wait import until


@pytest.fixture
def session(relay, peers):
    """A relayed connection that has carried bytes: the client's socket and the upstream's."""
    listening, port = peers.listen(), free_port()
    relay.add(route(port, port_of(listening)))
    client = peers.connect(port)
    upstream = peers.accept(listening)
    client.sendall(b"question")
    assert read_exactly(upstream, 8) == b"question"
    upstream.sendall(b"answer")
    assert read_exactly(client, 6) == b"answer"
    return client, upstream


@pytest.fixture(params=["client", "upstream"])
def ends(request, session):
    """The side that resets, and the other."""
    client, upstream = session
    return (client, upstream) if request.param == "client" else (upstream, client)


def test_a_reset_resets_the_other_side(relay, ends):
    one, other = ends
    reset(one)
    assert is_reset(other)
    until(lambda: relay.status().open == 0)


def test_a_reset_after_the_own_half_close_is_passed_on_though_nobody_writes(relay, ends):
    one, other = ends
    one.shutdown(socket.SHUT_WR)
    assert read_all(other) == b""
    reset(one)
    until(lambda: relay.status().open == 0)
    with pytest.raises(OSError):
        other.sendall(b"into the void")
        other.sendall(b"into the void")


def test_a_reset_after_the_others_half_close_is_passed_on_though_nobody_writes(relay, ends):
    one, other = ends
    other.shutdown(socket.SHUT_WR)
    assert read_all(one) == b""
    reset(one)
    assert is_reset(other)
    until(lambda: relay.status().open == 0)


def test_a_reset_by_a_sender_that_is_held_back_is_passed_on(relay, ends):
    one, other = ends
    one.setblocking(False)
    while select.select([], [one], [], 0.3)[1]:  # until the slow reader holds it back
        one.send(bytes(1 << 20))
    reset(one)
    assert is_reset(other)
    until(lambda: relay.status().open == 0)


def test_what_was_acknowledged_before_a_reset_reaches_a_slow_reader(relay, ends):
    one, other = ends
    words = bytes(range(256)) * 800
    other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    one.sendall(words)
    until(lambda: unacknowledged(one) == 0)
    reset(one)
    until(lambda: select.select([other], [], [], 0)[0])
    read = bytearray()
    with pytest.raises(ConnectionResetError):
        while data := other.recv(4096):
            read += data
    assert read == words
    until(lambda: relay.status().open == 0)


def test_a_reset_by_the_slow_reader_itself_ends_the_session_of_a_lost_peer(relay, ends):
    one, other = ends
    one.setblocking(False)
    while select.select([], [one], [], 0.3)[1]:
        one.send(bytes(1 << 20))
    reset(one)
    reset(other)
    until(lambda: relay.status().open == 0)


def test_an_answer_before_the_end_of_the_question_arrives(relay, ends):
    one, other = ends  # `other` answers, and closes with bytes unread
    one.sendall(b"x")
    assert other.recv(1) == b"x"

    def all_at_once():  # on the relay's loop, which then meets the error of its own send first
        one.sendall(bytes(1000))
        other.sendall(b"too much")
        reset(other)
        try:
            one.sendall(bytes(1000))
        except ConnectionResetError:  # a worker, which has a loop of its own, has passed it on
            met.append(True)

    met = []
    relay.call(all_at_once)
    assert read_exactly(one, 8) == b"too much"
    assert met or is_reset(one)
    until(lambda: relay.status().open == 0)


def test_a_reset_at_the_same_moment_as_the_others_half_close_is_passed_on(relay, ends):
    one, other = ends

    def both():  # on the relay's loop, which then learns of both in one turn
        other.shutdown(socket.SHUT_WR)
        reset(one)

    relay.call(both)
    assert is_reset(other)
    until(lambda: relay.status().open == 0)


def test_a_reset_in_answer_to_bytes_nobody_reads_is_passed_on(relay, ends):
    one, other = ends
    other.sendall(b"unread")
    until(lambda: select.select([one], [], [], 0)[0])
    one.close()  # with bytes unread, which the kernel tells the peer by a reset
    assert is_reset(other)
    until(lambda: relay.status().open == 0)


def test_a_reset_of_a_unix_peer_resets_the_other_side(relay, peers, tmp_path):
    listening, path = peers.listen(), str(tmp_path / "out")
    relay.add(route(path, port_of(listening)))
    client = peers.connect(path)
    upstream = peers.accept(listening)
    upstream.sendall(b"unread")
    until(lambda: select.select([client], [], [], 0)[0])
    client.close()  # unix(7): unread bytes make the peer see ECONNRESET
    assert is_reset(upstream)
    until(lambda: relay.status().open == 0)
