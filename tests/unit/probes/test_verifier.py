"""Endpoints that a route shall be moved to are asked as the route's `health` asks."""

import socket

import pytest

from ambassador.demo.valkey import find_program
from ambassador.errors import NotVerifiedError
from ambassador.model import Endpoint, Inet, Proto, Route, Unix
from ambassador.probes.verifier import ConnectVerifier
from tests.answering import running, saying
from tests.names import StaticResolver
from tests.ports import free_port
from tests.wait import until


@pytest.fixture
def verify(looping):
    """Return what is wrong with an endpoint, nothing when it may be moved to."""

    def asking(address, health="", proto=Proto.TCP, **names):
        endpoint = Endpoint(address, proto)
        route = Route("a", Inet("", 1), (), proto, health=health)
        verifier = ConnectVerifier(StaticResolver(**names), limit=0.2)
        try:
            looping.do(verifier.verify(route, [endpoint]))
        except NotVerifiedError as error:
            return str(error)
        return ""

    return asking


def test_without_health_a_connection_is_enough(verify, tmp_path):
    with saying(b"anything") as port:
        assert verify(Inet("127.0.0.1", port)) == ""
    port = free_port()
    assert verify(Inet("127.0.0.1", port)) == (
        f"tcp://127.0.0.1:{port} does not answer: connection refused; nothing has changed"
    )
    assert "no such file" in verify(Unix(str(tmp_path / "none")))


def test_with_health_it_has_to_answer_as_it_should(verify, tmp_path):
    with saying(b"HTTP/1.1 200 OK\r\n") as port:
        assert verify(Inet("127.0.0.1", port), "http") == ""
        assert "answers PING with 'HTTP/1.1 200 OK'" in verify(Inet("127.0.0.1", port), "redis")
    port = free_port()
    with running(find_program(), "--port", str(port), "--save", "", "--dir", str(tmp_path)):
        until(lambda: verify(Inet("127.0.0.1", port), "redis") == "", 10)


def test_one_that_accepts_and_never_answers_is_found_out(verify):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Inet("127.0.0.1", silent.getsockname()[1])
        assert verify(address) == ""
        assert "no answer within 0.2 s" in verify(address, "redis")


def test_every_address_of_a_name_must_answer_and_the_one_that_does_not_is_named(verify):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert verify(Inet("db", port), db=("127.0.0.1",)) == ""
        found = verify(Inet("db", port), db=("127.0.0.1", "127.0.0.9"))
    assert found.startswith(f"tcp://db:{port} (127.0.0.9:{port}) does not answer: ")
    assert "has no address" in verify(Inet("nobody", 1))


def test_of_udp_without_health_only_the_name_is_asked_for(verify):
    assert verify(Inet("127.0.0.1", free_port()), proto=Proto.UDP) == ""
    assert "has no address" in verify(Inet("nobody", 1), proto=Proto.UDP)


def test_udp_with_health_has_to_answer(verify):
    port = free_port()
    assert verify(Inet("127.0.0.1", port), "dns", Proto.UDP) == (
        f"udp://127.0.0.1:{port} does not answer: connection refused; nothing has changed"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        address = Inet("127.0.0.1", silent.getsockname()[1])
        assert "no answer within 0.2 s" in verify(address, "dns", Proto.UDP)
