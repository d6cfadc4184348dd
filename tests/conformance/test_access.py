"""A line of the access log for each session, in both planes."""

import json
import socket

import pytest

from tests.kernel.peers import listen
from tests.relay.echo import Echo
from tests.wait import until

ASSIGNMENT = "REDIS_PORT_6379_TCP=tcp://10.77.0.4:7000"
PLACE = ("10.77.0.2", 6379)


@pytest.fixture
def echo(network):
    listening = listen(network.old, 7000)
    echo = Echo(listening)
    yield echo
    echo.close()
    listening.close()


def test_each_session_has_its_line(network, plane, echo, start_program, tmp_path):
    path = tmp_path / "access.log"
    program = start_program(plane, ASSIGNMENT, f"--access-log={path}")
    assert program.started["plane"] == plane
    names = set()
    for _ in range(3):
        with network.client.call(socket.create_connection, PLACE, 10) as client:
            client.sendall(b"hello")
            assert client.recv(5, socket.MSG_WAITALL) == b"hello"
            names.add(f"{client.getsockname()[0]}:{client.getsockname()[1]}")

    def lines():
        return [json.loads(line) for line in path.read_text().splitlines()]

    until(lambda: len(lines()) == 3, 5, "three lines")
    assert {line["client"] for line in lines()} == names
    for line in lines():
        assert line["plane"] == plane
        assert line["route"] == "redis"
        assert line["address"] == "10.77.0.4:7000"
        assert line["to_upstream"] >= 5
        assert line["to_client"] >= 5
        assert 0 <= line["total"] < 30
        assert (line["by"], line["reason"]) == ("client", "client")
        if plane == "relay":
            assert line["connect"] > 0
