"""Silence is no reason to end a connection, whatever conntrack's own timeouts say."""

import socket
import time

import pytest

from tests.conformance.ambassador import route
from tests.conformance.scene import works
from tests.wait import until

# Of the namespace, in seconds; a day and a minute by default.
SHORT = dict.fromkeys(("close_wait", "fin_wait", "established", "last_ack", "time_wait"), 2)
SILENCE = 6.0


@pytest.fixture
def listening(scene, ambassador):
    scene.network.ambassador.sysctl(
        **{f"net__netfilter__nf_conntrack_tcp_timeout_{name}": s for name, s in SHORT.items()}
    )
    ambassador.set(route(6379, "10.77.0.4:7000"))
    return scene.endpoint()


def be_silent():
    end = time.monotonic() + SILENCE
    until(lambda: time.monotonic() > end, within=SILENCE + 1)


def test_an_answer_comes_long_after_the_end_of_the_question_and_an_idle_session_lives_on(
    scene, listening
):
    asking, answering = scene.session(listening)
    idle = scene.session(listening)
    ended_by_upstream = scene.session(listening)
    asking.sendall(b"question")
    asking.shutdown(socket.SHUT_WR)
    assert answering.recv(64) == b"question"
    assert answering.recv(1) == b""
    client, upstream = ended_by_upstream
    upstream.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""

    be_silent()

    answering.sendall(b"answer")
    answering.close()
    assert asking.recv(64) == b"answer"
    assert asking.recv(1) == b""
    works(*idle)
    client.sendall(b"still talking")
    assert upstream.recv(64) == b"still talking"
    client.close()
    assert upstream.recv(1) == b""
