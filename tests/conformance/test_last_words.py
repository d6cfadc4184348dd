"""What was said before a connection is lost arrives, as it does without an ambassador."""

from __future__ import annotations

import random
import socket

import pytest

from ambassador.planes.relay.options import unacknowledged
from tests.conformance.ambassador import route
from tests.conformance.scene import reset
from tests.wait import until

WORDS = bytes(range(256)) * 150  # less than one socket holds, whose peer does not read


@pytest.fixture
def session(scene, ambassador):
    listening = scene.endpoint()
    ambassador.set(route(6379, "10.77.0.4:7000"))
    client, upstream = scene.session(listening)
    client.settimeout(20)
    client.sendall(b"go")
    assert upstream.recv(2, socket.MSG_WAITALL) == b"go"
    return client, upstream


def read_until_lost(sock):
    read = bytearray()
    with pytest.raises(ConnectionResetError):
        while data := sock.recv(4096):
            read += data
    return bytes(read)


@pytest.mark.parametrize("who", ["client", "upstream"])
def test_a_reset_does_not_overtake_what_was_acknowledged(session, who):
    one, other = session if who == "client" else session[::-1]
    one.sendall(WORDS)
    until(lambda: unacknowledged(one) == 0)
    reset(one)
    assert read_until_lost(other) == WORDS


def test_an_early_answer_arrives_though_the_question_goes_on(session):
    client, upstream = session
    client.sendall(bytes(1000))  # not all of it is read
    until(lambda: unacknowledged(client) == 0)
    upstream.sendall(b"413 too large")
    upstream.close()  # with bytes unread: a reset
    assert client.recv(13, socket.MSG_WAITALL) == b"413 too large"
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        while True:
            client.sendall(bytes(1000))


def test_no_urgent_byte_is_lost(session):
    client, upstream = session
    upstream.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    chance, sent = random.Random(7), b""
    for number in range(200):
        plain, urgent = bytes([65 + number % 26]), bytes([97 + number % 26])
        client.sendall(plain * chance.choice([1, 5, 1000]))
        sent += plain
        if chance.random() < 0.7:
            client.send(urgent, socket.MSG_OOB)
            sent += urgent
    client.shutdown(socket.SHUT_WR)
    read = b""
    while data := upstream.recv(65536):
        read += data
    assert "".join(sorted(set(read.decode()))) == "".join(sorted(set(sent.decode())))
    assert squeezed(read) == squeezed(sent)


def squeezed(text):
    """Return `text` with each run of one capital letter as one of it."""
    found = bytearray()
    for byte in text:
        if not (found and found[-1] == byte and byte < 97):
            found.append(byte)
    return bytes(found)
