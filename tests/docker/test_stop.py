"""PID 1: it ends when asked, at once or after its sessions, and leaves no dead child."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from .bed import resp
from .bed.command import CommandError, until
from .bed.engine import Engine
from .bed.images import AMBASSADOR, REDIS

# Seconds that an engine on a busy machine may need for anything; its kill would come after 10 s.
AT_ONCE = 4


def run_ambassador(host: Engine, *args: str) -> str:
    """Start Redis and an ambassador in front of it; return its address once it serves."""
    host.docker("run", "-d", "--name", "redis", REDIS)
    host.docker("run", "-d", "--name", "ambassador", "--link", "redis:redis", *args, AMBASSADOR)
    address = host.container_address("ambassador")
    resp.first_pong(host, address)
    return address


def state(host: Engine) -> dict[str, Any]:
    return dict(host.inspect("ambassador")["State"])


def test_an_idle_one_stops_in_less_than_a_second_with_0(near: Engine) -> None:
    run_ambassador(near)
    took = {}
    for name in ("ambassador", "redis"):  # which ends at once, so the rest is the engine's
        began = time.monotonic()
        near.docker("stop", name)
        took[name] = time.monotonic() - began
    assert took["ambassador"] < 1 + took["redis"]
    assert state(near)["ExitCode"] == 0


def test_a_session_finishes_within_the_grace_period_and_new_ones_are_refused(
    near: Engine,
) -> None:
    address = run_ambassador(near)
    with resp.session(near, address) as busy:
        assert busy.ask("SET key value") == "OK"
        stop = threading.Thread(target=near.docker, args=("stop", "ambassador"))
        stop.start()
        until(lambda: resp.ask(near, "PING", address) == "gone", "new sessions are refused")
        assert busy.ask("GET key") == "value"
        assert near.running("ambassador")
    began = time.monotonic()
    stop.join()
    assert time.monotonic() - began < AT_ONCE  # the last session's end is the end
    assert state(near)["ExitCode"] == 0


def test_a_session_that_does_not_end_is_cut_after_the_grace_period(near: Engine) -> None:
    address = run_ambassador(near, "-e", "AMBASSADOR_GRACE=2s")
    with resp.session(near, address) as busy:
        assert busy.ask("PING") == "PONG"
        began = time.monotonic()
        near.docker("stop", "ambassador")
        assert 1.9 < time.monotonic() - began < 2 + AT_ONCE
        assert busy.ask("PING") in {"gone", ""}
    assert state(near)["ExitCode"] == 0


@pytest.mark.parametrize("signal", ["TERM", "INT"])
def test_a_signal_in_the_first_moment_ends_it_at_once(near: Engine, signal: str) -> None:
    near.docker(
        *("create", "--name", "ambassador", "-e", "X_PORT_1_TCP=tcp://192.0.2.1:1"),
        AMBASSADOR,
    )
    start = threading.Thread(target=near.docker, args=("start", "ambassador"))
    start.start()
    kill = f"/containers/ambassador/kill?signal={signal}"
    until(lambda: near.post(kill), "kill", every=0.001)
    began = time.monotonic()
    try:
        code = near.exit_code("ambassador", within=AT_ONCE)
    except CommandError:
        # It may be lost, before `env` blocks it (see the Dockerfile). Whoever has sent it sends it
        # again.
        assert near.post(kill)
        began = time.monotonic()
        code = near.exit_code("ambassador")
    assert code == 0
    assert time.monotonic() - began < AT_ONCE
    start.join()


@pytest.mark.parametrize("args", [(), ("--entrypoint", "ambassador")], ids=["supervisor", "itself"])
def test_an_orphan_that_ends_leaves_no_zombie(near: Engine, args: tuple[str, ...]) -> None:
    run_ambassador(near, *args)
    near.docker("exec", "-d", "ambassador", "sh", "-c", "sleep 1.5 & exit 0")

    def orphans() -> list[str]:
        """Return the state of each `sleep` whose parent is process 1 (proc_pid_stat(5))."""
        stat = near.docker("exec", "ambassador", "sh", "-c", "cat /proc/[0-9]*/stat", ok=None)
        rows = [line.rpartition(")")[2].split() for line in stat.splitlines() if "(sleep)" in line]
        return [row[0] for row in rows if row[1] == "1"]

    until(orphans, "an orphan")
    until(lambda: not orphans(), "neither a process nor a zombie is left", within=5)


def test_a_wrong_configuration_ends_the_client_with_2_and_its_reason(near: Engine) -> None:
    variable = "REDIS_PORT_6379_TCP=tcp://redis"
    done = near.client("run", "--rm", "-e", variable, AMBASSADOR, ok=(2,))
    assert "REDIS_PORT_6379_TCP" in done.stderr
    assert done.stdout == ""
