"""One conversation in clear, by callbacks: in pieces, late, refused, broken off."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from ambassador.probes.conversation import Conversations, Question
from ambassador.probes.table import probe_of
from tests.loops import LoopThread
from tests.ports import free_port
from tests.wait import until


@pytest.fixture
def looping():
    looping = LoopThread()
    yield looping
    looping.close()


@pytest.fixture
def conversations(looping):
    conversations = looping.call(Conversations)
    yield conversations
    looping.call(conversations.close)


@pytest.fixture
def ask(looping, conversations):
    """Return what begins to ask a place, and the list in which the answer will be."""

    def asking(health, place, limit=5.0, header=None):
        answers = []
        question = Question(place, probe_of(health), "host", limit, header)
        looping.call(conversations.begin, question, answers.append)
        return answers

    return asking


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server


def at(server):
    return socket.AF_INET, server.getsockname()


def test_an_answer_in_pieces_is_heard_whole(ask, server):
    answers = ask("redis", at(server), header=lambda sock: b"%d " % sock.getpeername()[1])
    peer, _ = server.accept()
    with peer:
        said = b"%d *1\r\n$4\r\nPING\r\n" % server.getsockname()[1]
        assert peer.recv(100) == said
        for piece in (b"+P", b"ON", b"G\r"):
            peer.sendall(piece)
        assert answers == []
        peer.sendall(b"\n")
        until(lambda: answers == [""])
        assert peer.recv(1) == b""  # an end, and no reset


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "ends before it has answered"),
        (b"-LOADING wait\r\n", "answers PING with '-LOADING wait'"),
        (b"x" * 70000, "answers without end"),
    ],
)
def test_what_is_no_good_answer_is_said(ask, server, said, why):
    answers = ask("redis", at(server))
    peer, _ = server.accept()
    with peer:
        peer.sendall(said)
        with contextlib.suppress(OSError):  # it has hung up
            peer.shutdown(socket.SHUT_WR)
        until(lambda: answers == [why])


def test_one_that_is_silent_has_its_time_and_no_more(ask, server):
    answers = ask("redis", at(server), limit=0.1)
    peer, _ = server.accept()
    with peer:
        until(lambda: answers == ["no answer within 0.1 s"])
        peer.sendall(b"+PONG\r\n")
    second = ask("tcp", at(server))
    until(lambda: second == [""])
    assert answers == ["no answer within 0.1 s"]


def test_nobody_there_is_said(ask, tmp_path):
    refused = ask("tcp", (socket.AF_INET, ("127.0.0.1", free_port())))
    none = ask("tcp", (socket.AF_UNIX, str(tmp_path / "none")))
    until(lambda: refused and none)
    assert (refused, none) == (["connection refused"], ["no such file or directory"])


def test_a_unix_socket_whose_queue_is_full_does_not_answer(ask, tmp_path):
    path = str(tmp_path / "full")
    with socket.socket(socket.AF_UNIX) as full:
        full.bind(path)
        full.listen(0)
        first = ask("redis", (socket.AF_UNIX, path), limit=0.2)
        second = ask("redis", (socket.AF_UNIX, path), limit=0.2)
        until(lambda: first and second)
    assert (first, second) == (
        ["no answer within 0.2 s"],
        ["resource temporarily unavailable"],
    )


def test_what_is_broken_off_is_told_nobody_and_leaves_nothing(looping, server):
    before = len(list(Path("/proc/self/fd").iterdir()))
    conversations = looping.call(Conversations)
    answers = []
    question = Question(at(server), probe_of("redis"), "", 5.0)
    looping.call(conversations.begin, question, answers.append)
    peer, _ = server.accept()
    looping.call(conversations.close)
    with peer:
        peer.settimeout(10)
        assert peer.recv(100) == b"*1\r\n$4\r\nPING\r\n"
        assert peer.recv(1) == b""
    assert answers == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before
