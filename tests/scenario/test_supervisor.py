"""An ambassador under process 1 of the image: killed, it is started again, and nobody notices."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from ambassador import supervisor
from tests.program import is_ready
from tests.relay.peers import port_of
from tests.scenario.upgrading import asks, children, connections, works
from tests.wait import until

BEFORE = (
    *("env", "--block-signal", os.path.realpath(sys.executable)),
    *("-I", "-S", supervisor.__file__),
)
KILLS = 3


def count(program, event, times):
    until(lambda: len(program.said(event)) >= times, 20, f"{times} times {event}")


def refused(port, program, ready):
    """Connect until it was `ready` so many times; return how often that was refused."""
    found = []

    def all_of_them():
        try:
            works(socket.create_connection(("127.0.0.1", port), 10))
        except ConnectionRefusedError as error:
            found.append(error)
        return len(program.said("ready")) >= ready

    until(all_of_them, 20, "it is ready again")
    return len(found)


def test_an_idle_one_that_is_killed_refuses_nobody(run, peers):
    program = run.first(before=BEFORE)
    for kills in range(1, KILLS + 1):
        (pid,) = children(program.process.pid)
        os.kill(pid, signal.SIGKILL)
        assert refused(run.port, program, 1 + kills) == 0
    assert "was killed by SIGKILL" in program.said("restarted")[0]
    works(peers.connect(run.port))
    assert program.stop() == 0
    with pytest.raises(ConnectionRefusedError):
        peers.connect(run.port)


def test_a_route_that_has_gone_is_not_kept(run, peers, tmp_path):
    config = tmp_path / "a.toml"

    def write(*ports):
        config.write_text(
            "".join(
                f'[route.r{port}]\nlisten = "127.0.0.1:{port}"\n'
                f'endpoints = "tcp://127.0.0.1:{run.echo.port}"\n'
                for port in ports
            )
        )

    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        gone = port_of(free)
    write(run.port, gone)
    program = run.first(f"--config={config}", before=BEFORE)
    works(peers.connect(gone))
    write(run.port)
    program.send(signal.SIGHUP)
    count(program, "reloaded", 1)
    (pid,) = children(program.process.pid)
    os.kill(pid, signal.SIGKILL)
    count(program, "ready", 2)
    works(peers.connect(run.port))
    with pytest.raises(ConnectionRefusedError):
        peers.connect(gone)
    assert program.said("listener_closed") == []
    assert program.stop() == 0


def test_sessions_and_counters_outlive_it(run, peers):
    environ = {"AMBASSADOR_OUTLIVE": "20s", "AMBASSADOR_WORKERS": "2", "AMBASSADOR_GRACE": "0s"}
    program = run.first(before=BEFORE, **environ)
    kept = peers.connect(run.port)

    (pid,) = children(program.process.pid)

    def carried():
        asks(kept)
        return children(pid) and not connections(pid)

    until(carried, 20, "workers have all sessions")
    for kills in range(1, KILLS + 1):
        (pid,) = children(program.process.pid)
        os.kill(pid, signal.SIGKILL)
        count(program, "ready", 1 + kills)
        asks(kept)
        works(peers.connect(run.port))
    until(lambda: run.status().routes[0].open == 1)
    assert run.status().routes[0].opened == 1 + KILLS
    assert len(program.said("taken_back")) == KILLS
    assert program.stop() == 0


@pytest.mark.root
def test_a_successor_is_looked_after_like_the_one_before(run, peers):
    namespace = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    program = run.first(before=(*namespace, *BEFORE))
    (first,) = children(program.process.pid)
    old = children(first)
    os.kill(first, signal.SIGUSR2)
    count(program, "taken_over", 1)
    count(program, "stopped", 1)
    until(lambda: not set(old) & set(children(first)), 10, "the old one has gone")
    (pid,) = children(first)
    assert refused(run.port, program, 2) == 0
    os.kill(pid, signal.SIGKILL)
    assert refused(run.port, program, 3) == 0
    until(lambda: is_ready(run.admin))
    os.kill(first, signal.SIGTERM)
    assert program.exit_code() == 0


@pytest.mark.parametrize("arguments", [("REDIS_PORT_6379_TCP=tcp://redis",), ("--nothing",)])
def test_a_start_that_fails_ends_with_2(arguments):
    command = (*BEFORE, sys.executable, "-m", "ambassador", "run", *arguments)
    done = subprocess.run(command, check=False, timeout=20, capture_output=True)
    assert done.returncode == 2


@pytest.mark.parametrize("later", [0, 0.005, 0.02, 0.05, 0.1, 0.2])
def test_an_interrupt_at_whatever_moment_of_the_start_stops_it(run, later):
    program = run(before=BEFORE)
    until(lambda: children(program.process.pid), what="the program")
    time.sleep(later)  # the moment is what is tested
    program.send(signal.SIGINT)
    assert program.exit_code() == 0
