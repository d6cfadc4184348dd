"""Who ended a session, and why, as the access log of the program says it."""

import json
import signal
import struct
from socket import SO_LINGER, SOL_SOCKET

import pytest

from tests.ports import free_port
from tests.program import Program
from tests.relay.peers import read_exactly
from tests.wait import until


@pytest.fixture
def path(tmp_path):
    return tmp_path / "access.log"


@pytest.fixture
def start(tmp_path, path):
    programs = []

    def starting(*arguments, **environ):
        config = tmp_path / "ambassador.toml"
        config.touch()
        options = (f"--access-log={path}", f"--config={config}")
        programs.append(Program(*options, *arguments, **environ))
        return programs[-1].started()

    yield starting
    for program in programs:
        with program:
            pass


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def last(path, number):
    """Return who ended the session of the line `number`, and why."""
    found = until(lambda: lines(path)[number - 1 :], 10)[0]
    return found["by"], found["reason"]


def connected(peers, port):
    client = peers.connect(port)
    client.sendall(b"question")
    assert read_exactly(client, 8) == b"question"
    return client


def test_each_end_has_its_reason(start, peers, path, tmp_path):
    echo, port, nowhere, moving = peers.echo(), free_port(), free_port(), free_port()
    config = tmp_path / "ambassador.toml"

    def configure(existing, endpoint):
        config.write_text(
            f'[route.moving]\nlisten = "127.0.0.1:{moving}"\nexisting = "{existing}"\n'
            f'endpoints = "tcp://127.0.0.1:{endpoint}"\n'
        )

    configure("cut", echo.port)
    program = start(
        f"A_PORT_{port}_TCP=tcp://127.0.0.1:{echo.port}",
        f"B_PORT_{nowhere}_TCP=tcp://127.0.0.1:{free_port()}",
        f"B_PORT_{nowhere}_TCP_CONNECT=50ms",
        "--grace=100ms",
    )
    connected(peers, port).close()
    assert last(path, 1) == ("client", "client")
    client = connected(peers, port)
    client.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert last(path, 2) == ("client", "client_reset")
    peers.connect(nowhere)
    assert last(path, 3) == ("ambassador", "unreachable")
    connected(peers, moving)
    configure("cut", peers.echo().port)
    assert last(path, 4) == ("ambassador", "moved")
    connected(peers, moving)
    assert program.stop() == 0
    assert last(path, 5) == ("ambassador", "shutdown")
    first, *_ = lines(path)
    assert (first["to_upstream"], first["to_client"], first["plane"]) == (8, 8, "relay")
    assert first["endpoint"] == f"tcp://127.0.0.1:{echo.port}"
    assert 0 < first["connect"] < first["total"] < 5
    assert lines(path)[2]["endpoint"] is None


def test_sighup_opens_it_anew(start, peers, path, tmp_path):
    echo, port = peers.echo(), free_port()
    program = start(f"A_PORT_{port}_TCP=tcp://127.0.0.1:{echo.port}")
    connected(peers, port).close()
    assert last(path, 1) == ("client", "client")
    path.rename(tmp_path / "access.log.1")
    program.send(signal.SIGHUP)
    until(path.exists)
    connected(peers, port).close()
    assert last(path, 1) == ("client", "client")


def test_where_it_cannot_be_written_nothing_is_started(tmp_path):
    port = free_port()
    with Program(f"A_PORT_{port}_TCP=tcp://127.0.0.1:1", f"--access-log={tmp_path}/no/a") as it:
        assert it.exit_code() == 1
        assert "No such file or directory" in it.said("not_started")[0]
