"""Clients that may come in are asked one after the other, each anew, and answered."""

import socket
import threading

import pytest

from bench import refused
from bench.errors import BenchError


@pytest.fixture
def answering(monkeypatch):
    """Have a service answer `answer` to each client."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    monkeypatch.setattr(refused, "_WHERE", listening.getsockname())
    monkeypatch.setattr(refused, "_ALLOWED", "127.0.0.1")
    monkeypatch.setattr(refused, "_SECONDS", 0.05)

    def start(answer):
        def serve():
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    client.recv(100)
                    client.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()

    yield start
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def test_each_is_timed_and_one_that_is_not_served_is_an_error(answering):
    answering(b"+PONG\r\n")
    waits = refused._waits()
    assert 2 <= len(waits) <= 26
    assert min(waits) > 0


def test_who_is_allowed_and_not_served_ends_the_measurement(answering):
    answering(b"-ERR\r\n")
    with pytest.raises(BenchError, match="was not served"):
        refused._waits()
