"""What the load of an upgrade reads off: the longest wait of any session."""

import socket
import threading
from contextlib import ExitStack

import pytest

from bench.errors import Missing
from bench.loads.upgrade import longest_wait


@pytest.fixture
def sessions():
    """Three sessions with services that answer as told: a delay in seconds, or bytes at once."""
    with ExitStack() as stack:

        def made(*answers: float | bytes) -> list[socket.socket]:
            clients = []
            for answer in answers:
                client, service = (stack.enter_context(one) for one in socket.socketpair())
                client.settimeout(5)
                thread = threading.Thread(target=serve, args=(service, answer), daemon=True)
                thread.start()
                clients.append(client)
            return clients

        yield made


def serve(service: socket.socket, answer: float | bytes) -> None:
    done = threading.Event()
    try:
        while service.recv(64):
            if isinstance(answer, bytes):
                service.sendall(answer)
            else:
                done.wait(answer)  # never set: the delay is what is measured
                service.sendall(b"+PO")
                service.sendall(b"NG\r\n")
            if answer == b"":
                return service.shutdown(socket.SHUT_RDWR)
    except OSError:
        return None


def rounds(number: int):
    left = iter(range(number))
    return lambda: next(left, None) is not None


def test_the_wait_is_that_of_the_session_that_waited_longest(sessions):
    assert 0.15 <= longest_wait(sessions(0.0, 0.15, 0.0), rounds(1)) < 5


def test_each_session_is_asked_once_at_least(sessions):
    assert 0.05 <= longest_wait(sessions(0.0, 0.0, 0.05), lambda: False) < 5


def test_one_who_waits_is_not_asked_again(sessions):
    # Else a second question would be waited for from its own moment, and the first forgotten.
    assert longest_wait(sessions(0.25), rounds(200)) >= 0.25


@pytest.mark.parametrize(
    ("answer", "why"),
    [(b"", "a session was closed"), (b"-ERR no\r\n", "a session answered b'-ERR no")],
)
def test_a_session_that_does_not_survive_is_no_figure(sessions, answer, why):
    with pytest.raises(Missing, match=why):
        longest_wait(sessions(0.0, answer), rounds(1))
