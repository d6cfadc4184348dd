"""The relay inside the program: limits of the process, signals, log lines, exit codes."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.conftest import children
from tests.netns import Namespace
from tests.ports import free_port
from tests.program import Program
from tests.relay.peers import port_of, read_exactly
from tests.wait import until


@pytest.fixture(params=["uvloop", "asyncio"])
def start(request):
    """Start programs on one of the loops; all end."""
    programs = []

    def starting(*arguments, **options):
        programs.append(Program(f"--loop={request.param}", *arguments, **options))
        return programs[-1]

    yield starting
    for program in programs:
        with program:
            pass


def redis(port, endpoint):
    return f"REDIS_PORT_{port}_TCP=tcp://127.0.0.1:{endpoint}"


def ask(client, word=b"question"):
    client.sendall(word)
    assert read_exactly(client, len(word)) == word


def test_sixty_clients_at_forty_descriptors_are_all_served_in_turn(start, peers):
    echo, port = peers.echo(), free_port()
    program = start(redis(port, echo.port), before=("prlimit", "--nofile=40:40")).started()
    clients = [peers.connect(port) for _ in range(60)]
    assert "40 are allowed (ulimit -n)" in program.wait_for("descriptors_exhausted")
    most = 0
    for number, client in enumerate(clients):
        ask(client, b"%02d" % number)
        most = max(most, echo.open)
        client.close()
    # 12 in the first process, and 4 in each of two workers: they have the same limit.
    assert 0 < most <= 20
    program.wait_for("descriptors_available")
    with peers.connect(port) as client:
        ask(client)
    assert program.stop() == 0
    assert len(program.said("descriptors_exhausted")) == 1
    assert len(program.said("descriptors_available")) == 1
    assert echo.accepted == 61


def test_a_limit_that_sinks_below_what_is_used_pauses_accepting_until_it_rises(start, peers):
    echo, port = peers.echo(), free_port()
    program = start(redis(port, echo.port)).started()
    with peers.connect(port) as client:
        ask(client)
    pid = program.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
    clients = [peers.connect(port) for _ in range(20)]
    assert "too many open files" in program.wait_for("descriptors_exhausted")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    for client in clients:
        ask(client)
        client.close()
    program.wait_for("descriptors_available")
    assert program.stop() == 0
    assert len(program.said("descriptors_exhausted")) == 1


def test_the_soft_limit_is_raised_to_the_hard_one(start, peers):
    program = start(redis(free_port(), 1), before=("prlimit", "--nofile=64:500")).started()
    assert resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE) == (500, 500)


@pytest.mark.alone
def test_it_ends_in_under_a_second_when_idle_though_clients_have_been_there(start, peers):
    echo, port = peers.echo(), free_port()
    program = start(redis(port, echo.port)).started()
    for _ in range(20):
        with peers.connect(port) as client:
            ask(client)
    until(lambda: echo.open == 0)
    began = time.monotonic()
    assert program.stop() == 0
    assert time.monotonic() - began < 1


def test_sighup_keeps_what_is_open_and_says_what_changed(start, peers):
    echo, port = peers.echo(), free_port()
    program = start(redis(port, echo.port)).started()
    client = peers.connect(port)
    ask(client)
    for _ in range(3):
        program.send(signal.SIGHUP)
    assert program.wait_for("reloaded") == "reloaded: 0 changes"
    ask(client)
    ask(peers.connect(port))
    assert program.said("route_started") == [
        f"redis  :{port} -> 127.0.0.1:{echo.port}  plane relay"
    ]


def test_sigint_ends_it_too(start):
    program = start(redis(free_port(), 1)).started()
    assert program.stop(signal.SIGINT) == 0
    assert program.said("signal") == ["SIGINT: stopping"]
    assert program.said("stopped") == ["stopped"]


def test_one_line_a_session_at_its_end_in_json_and_in_text(start, peers):
    echo, port = peers.echo(), free_port()
    program = start("--level=debug", redis(port, echo.port)).started()
    client = peers.connect(port)
    name = f"127.0.0.1:{port_of(client)}"
    ask(client)
    client.close()
    program.wait_for("session_closed")
    (event,) = [one for one in program.events if one["event"] == "session_closed"]
    assert event.pop("seconds") > 0
    assert event.pop("time").endswith("Z")
    message = event.pop("message")
    assert message.startswith(f"redis  {name} -> 127.0.0.1:{echo.port}  8 B up  8 B down  ")
    assert event == {
        "level": "debug",
        "event": "session_closed",
        "route": "redis",
        "client": name,
        "endpoint": f"127.0.0.1:{echo.port}",
        "to_upstream": 8,
        "to_client": 8,
        "plane": "relay",
        "reason": "client",
        "detail": "",
        "dropped": 0,
    }


def test_text_has_the_same_sentences_and_no_colour_where_no_terminal_is(start, peers):
    echo, port = peers.echo(), free_port()
    program = start("--level=debug", "--log=text", redis(port, echo.port))
    until(lambda: any("plane relay" in line for line in program.rest))
    with peers.connect(port) as client:
        ask(client)
    until(lambda: any(line.endswith(" s  client\n") for line in program.rest))
    assert program.stop() == 0
    assert program.events == []
    text = "".join(program.rest)
    assert "\x1b" not in text
    lines = [line.rstrip("\n").split(" ", 1)[1] for line in program.rest]
    assert f"info    redis  :{port} -> 127.0.0.1:{echo.port}  plane relay" in lines
    assert lines[-2:] == ["info    SIGTERM: stopping", "info    stopped"]


def test_an_endpoint_that_goes_and_comes_is_said(start, peers):
    port, away = free_port(), free_port()
    program = start(redis(port, away)).started()
    client = peers.connect(port)
    assert program.wait_for("endpoint_unreachable") == (
        f"redis  cannot reach tcp://127.0.0.1:{away}: connection refused"
    )
    peers.echo(port=away)
    ask(client)
    assert f"redis  reaches tcp://127.0.0.1:{away} again" in program.wait_for("endpoint_reachable")


def refuses(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


def test_a_taken_port_is_exit_code_1_and_nothing_is_started(start, peers):
    taken, free = peers.listen("0.0.0.0"), free_port()
    program = start(redis(free, 1), redis(port_of(taken), 1))
    assert program.exit_code() == 1
    assert program.said("route_started") == []
    (said,) = program.said("not_started")
    assert f"cannot listen on :{port_of(taken)} (tcp): address already in use" in said
    assert "ss -lntp" in said
    assert refuses(free)


@pytest.mark.root
def test_a_port_it_may_not_bind_is_exit_code_1_and_says_what_helps(start):
    net = Namespace()
    try:
        program = start(
            "REDIS_PORT_80_TCP=tcp://127.0.0.1:1",
            net=net,
            before=("setpriv", "--bounding-set=-net_bind_service"),
        )
        assert program.exit_code() == 1
        (said,) = program.said("not_started")
        assert "cannot listen on :80 (tcp): permission denied" in said
        assert "CAP_NET_BIND_SERVICE" in said
    finally:
        net.close()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("REDIS_PORT_6379_TCP=tcp://:6379", "REDIS_PORT_6379_TCP"),
        ("DB_PORT_5432_TCP=udp://10.0.0.1:5432", "DB_PORT_5432_TCP"),
        ("DB_PORT_5432_TCP=tcp://[::1:5432", "DB_PORT_5432_TCP"),
    ],
)
def test_a_wrong_variable_is_exit_code_2_and_nothing_is_started(start, wrong, named):
    right = free_port()
    program = start(redis(right, 1), wrong)
    assert program.exit_code() == 2
    assert program.said("route_started") == []
    (said,) = program.said("not_started")
    assert named in said
    assert refuses(right)


@pytest.mark.alone
@pytest.mark.root
def test_as_process_1_it_takes_leave_of_orphans_and_stops_at_once(start, peers, tmp_path):
    echo, port, fifo = peers.echo(), free_port(), tmp_path / "fifo"
    os.mkfifo(fifo)
    # The shell is process 1 of a namespace and leaves an orphan to the program it becomes.
    leave_orphan = f'(cat {fifo} >/dev/null &); exec "$@"'
    program = start(
        redis(port, echo.port),
        before=(
            *("unshare", "--pid", "--fork", "--mount-proc", "--kill-child"),
            *("sh", "-c", leave_orphan, "sh"),
        ),
    ).started()
    with fifo.open("w"):
        (first,) = _children(program.process.pid)
        assert Path(f"/proc/{first}/status").read_text().split("NSpid:")[1].split()[1] == "1"
        until(lambda: len(_children(first)) == 1)
    until(lambda: _children(first) == [], what="the orphan is reaped")
    with peers.connect(port) as client:
        ask(client)
    until(lambda: echo.open == 0)
    began = time.monotonic()
    os.kill(first, signal.SIGTERM)
    assert program.exit_code() == 0
    assert time.monotonic() - began < 1


def _children(pid):
    return [int(line.partition(":")[0]) for line in children(pid)]


def test_an_error_is_one_object_of_the_log_too(start):
    program = start("NOT_A_LINK=1")
    assert program.exit_code() == 2
    assert program.rest == []
    assert [event["event"] for event in program.events][-1] == "not_started"
    assert "NOT_A_LINK" in program.events[-1]["message"]
