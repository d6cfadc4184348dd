"""A process of ours that is killed resets its sessions: half an answer must not look whole."""

import os
import signal
import socket

import pytest

from ambassador.admin import client
from ambassador.core.commands import Status
from tests.ports import free_port
from tests.program import Program
from tests.relay.peers import is_reset, port_of, read_all, read_exactly
from tests.wait import until


class Scene:
    """An ambassador, a client and an upstream that it has connected."""

    def __init__(self, peers, tmp_path):
        self.admin, port, self.listening = tmp_path / "admin.sock", free_port(), peers.listen()
        self.program = Program(
            f"DB_PORT_{port}_TCP=tcp://127.0.0.1:{port_of(self.listening)}",
            "--plane=relay",
            "--workers=0",
            AMBASSADOR_ADMIN=str(self.admin),
        ).started()
        self.client = peers.connect(port, SO_RCVBUF=16384)
        self.upstream = peers.accept(self.listening)
        self.client.sendall(b"question")
        assert read_exactly(self.upstream, 8) == b"question"

    def open(self):
        return client.ask(self.admin, Status()).routes[0].open

    def kill(self):
        self.program.process.kill()
        self.program.process.wait(10)


@pytest.fixture
def scene(peers, tmp_path):
    scene = Scene(peers, tmp_path)
    with scene.program:
        yield scene


@pytest.mark.parametrize("ended", ["neither", "client", "upstream"])
def test_both_sides_of_a_session_see_a_reset(scene, ended):
    if ended == "client":
        scene.client.shutdown(socket.SHUT_WR)
        assert scene.upstream.recv(1) == b""
        scene.upstream.sendall(b"half an answer")
    elif ended == "upstream":
        scene.upstream.shutdown(socket.SHUT_WR)
        assert scene.client.recv(1) == b""
    scene.kill()
    if ended != "upstream":
        assert is_reset(scene.client)
    if ended != "client":
        assert is_reset(scene.upstream)


def test_an_answer_that_has_not_been_sent_yet_is_not_taken_for_whole(scene):
    scene.client.shutdown(socket.SHUT_WR)
    scene.upstream.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            scene.upstream.send(bytes(65536))
    scene.upstream.close()
    scene.kill()
    assert is_reset(scene.client)


def test_what_ended_before_is_delivered_whole(scene):
    answer = os.urandom(200_000)
    scene.client.shutdown(socket.SHUT_WR)
    assert scene.upstream.recv(1) == b""
    scene.upstream.sendall(answer)
    scene.upstream.close()
    until(lambda: scene.open() == 0, what="the session has ended")
    scene.program.process.send_signal(signal.SIGKILL)
    scene.program.process.wait(10)
    assert read_all(scene.client) == answer
