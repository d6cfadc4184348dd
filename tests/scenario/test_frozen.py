"""The ambassador stands still for a while: docker pause, a machine that is suspended."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ambassador.admin import client
from ambassador.core.commands import Hold, Reset, Status
from ambassador.errors import AmbassadorError, NobodyError
from tests.ports import free_port
from tests.program import Program, is_ready
from tests.wait import until


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    admin, port = tmp_path / "admin.sock", free_port()
    route = f"R_PORT_{port}_TCP=tcp://127.0.0.1:1"
    with Program(route, AMBASSADOR_ADMIN=str(admin)) as program:
        until(lambda: is_ready(admin), 15)
        program.admin = admin
        yield program


def test_a_command_that_has_timed_out_is_not_carried_out_later(program):
    program.send(signal.SIGSTOP)
    with pytest.raises(NobodyError, match="no answer in time"):
        client.ask(program.admin, Hold("r"), timeout=0.3)
    program.send(signal.SIGCONT)
    with pytest.raises(AmbassadorError):  # after whatever was in the backlog
        client.ask(program.admin, Reset("nothing"))
    (route,) = client.ask(program.admin, Status()).routes
    assert route.hold is None
    assert route.changed.who == "start"


def test_the_time_of_a_move_counts_from_its_caller(program):
    program.send(signal.SIGSTOP)
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.settimeout(15)
        waiting.connect(str(program.admin))
        move = {"route": "r", "endpoints": ["tcp://127.0.0.1:2"], "verify": False, "timeout": 0.3}
        body = json.dumps(move)
        asked = time.time()
        waiting.sendall(
            f"POST /v1/move HTTP/1.1\r\nHost: x\r\nAmbassador-Asked: {asked}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        until(lambda: time.time() > asked + 0.35)
        program.send(signal.SIGCONT)
        answer = waiting.recv(1000)
        while b"}" not in answer:
            answer += waiting.recv(1000)
    assert answer.startswith(b"HTTP/1.1 504")
    assert b"not begun in time; nothing was changed" in answer
    (route,) = client.ask(program.admin, Status()).routes
    assert [one.endpoint for one in route.endpoints] == ["tcp://127.0.0.1:1"]


def test_a_command_that_is_still_wanted_is_carried_out(program):
    program.send(signal.SIGSTOP)
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.settimeout(15)
        waiting.connect(str(program.admin))
        waiting.sendall(
            b"POST /v1/hold HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b'Content-Length: 13\r\n\r\n{"route":"r"}'
        )
        waiting.shutdown(socket.SHUT_WR)  # an end of a half is no end
        program.send(signal.SIGCONT)
        assert waiting.recv(65536).startswith(b"HTTP/1.1 200")
    (route,) = client.ask(program.admin, Status()).routes
    assert route.hold is not None
