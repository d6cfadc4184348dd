import os
import socket
import threading
from pathlib import Path

import pytest

from ambassador import __version__
from ambassador.admin import client
from ambassador.core.commands import Status
from ambassador.errors import RunError


@pytest.fixture
def answering(tmp_path):
    """Answer one request with the given bytes, from a thread; return the path."""
    ends = []

    def start(*answer: bytes) -> Path:
        path = tmp_path / "odd.sock"
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            with listening, listening.accept()[0] as sock:
                sock.recv(65536)
                for part in answer:
                    sock.sendall(part)
                if not answer:
                    sock.recv(1)  # until the other side has enough

        thread = threading.Thread(target=serve)
        thread.start()
        ends.append(thread)
        return path

    yield start
    for thread in ends:
        thread.join(5)
        assert not thread.is_alive()


def test_it_asks_for_readiness_and_status(serve, tmp_path, looping, reconciler):
    path = tmp_path / "admin.sock"
    serve(path)
    assert client.ready(path, 5) == (False, "starting")
    looping.do(reconciler.start())
    assert client.ready(path, 5) == (True, "ready")
    view = client.ask(path, Status())
    assert (view.phase, view.version, view.pid) == ("ready", __version__, os.getpid())
    assert [route.name for route in view.routes] == ["redis"]


def test_no_answer_in_time(answering):
    with pytest.raises(RunError, match="does not answer: no answer in time"):
        client.ready(answering(), 0.1)


def test_an_ambassador_that_went_away(tmp_path):
    with pytest.raises(RunError, match="does not answer: "):
        client.ready(tmp_path / "gone.sock", 1)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "answered 404: no"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "not answer like an ambassador"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "not answer like an ambassador"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnone", "not answer like an ambassador"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer: "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}", "does not answer: "),
    ],
)
def test_somebody_else_answers(answering, answer, why):
    with pytest.raises(RunError, match=why):
        client.ask(answering(answer), Status())
