"""Endpoints that fail their probes leave their route, in the program, and come back."""

import pytest

from tests.ports import free_port
from tests.program import Program
from tests.relay.peers import port_of, read_exactly
from tests.wait import until


@pytest.fixture
def start():
    programs = []

    def starting(*arguments, **environ):
        programs.append(Program(*arguments, **environ))
        return programs[-1].started()

    yield starting
    for program in programs:
        with program:
            pass


def ask(client):
    client.sendall(b"question")
    assert read_exactly(client, 8) == b"question"


def test_an_unhealthy_endpoint_gets_no_sessions_and_loses_its_own_by_existing(start, peers):
    first, second, port = peers.listen(), peers.echo(), free_port()
    name, at = f"A_PORT_{port}_TCP", f"127.0.0.1:{port_of(first)}"
    program = start(
        f"{name}=tcp://{at},tcp://127.0.0.1:{second.port}?backup",
        f"{name}_HEALTH=tcp",
        f"{name}_INTERVAL=100ms",
        f"{name}_EXISTING=cut",
    )
    until(lambda: len(program.said("endpoint_healthy")) == 2, 10)
    with peers.connect(port) as client:
        client.sendall(b"question")
        while peers.accept(first).recv(8) != b"question":
            pass  # a probe: it says nothing and goes
        first.close()
        said = program.wait_for("endpoint_unhealthy")
        assert f"{at} is unhealthy: connection refused" in said
        with pytest.raises(ConnectionResetError):
            read_exactly(client, 1)
    with peers.connect(port) as client:
        ask(client)
    # Nobody had to wait for a connection that failed: it was not tried.
    assert program.said("endpoint_unreachable") == []


def test_a_redis_probe_knows_what_is_no_redis(start, peers):
    echo, port = peers.echo(), free_port()
    name = f"A_PORT_{port}_TCP"
    program = start(
        f"{name}=tcp://127.0.0.1:{echo.port}", f"{name}_HEALTH=redis", f"{name}_INTERVAL=100ms"
    )
    assert "answers PING with '*1'" in program.wait_for("endpoint_unhealthy")
