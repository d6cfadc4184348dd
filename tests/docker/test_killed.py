"""kill -9 of the ambassador in its container: process 1 starts another, and no client notices."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenario.upgrading import children, connections

from .bed import counting, resp
from .bed.command import until
from .bed.engine import Engine
from .bed.images import AMBASSADOR, REDIS
from .test_stop import run_ambassador

KILLS = 4


def control(host: Engine) -> int:
    """Return the process that process 1 of the container has started, as this host numbers it."""
    found = [host.pid]
    for parent in found:
        begun = children(parent)
        found += begun
        if b"supervisor.pyc" in cmdline(parent):
            (pid,) = [one for one in begun if b"worker_main" not in cmdline(one)]
            return pid
    raise AssertionError("it is not there")


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def opened(host: Engine) -> tuple[int, int]:
    """Return how many sessions are open, and were opened."""
    status = json.loads(host.docker("exec", "ambassador", "ambassador", "status", "--json"))
    (route,) = status["routes"]
    return route["open"], route["opened"]


def workers_have_all(host: Engine) -> bool:
    """Tell whether the first process carries nothing, and goes on carrying nothing: workers accept,
    and what they carry is not reset when it is killed.
    """
    until_then = time.monotonic() + 0.3
    while time.monotonic() < until_then:
        if connections(control(host)):
            return False
    return True


@pytest.mark.parametrize("plane", ["relay", "kernel"])
def test_killed_under_load_it_loses_no_session_and_refuses_nobody(
    near: Engine, plane: str, figure: Callable[[str], None]
) -> None:
    rights = {"relay": (), "kernel": ("--cap-add", "NET_ADMIN")}[plane]
    address = run_ambassador(near, "-e", f"AMBASSADOR_PLANE={plane}", *rights)
    argv = near.inside(sys.executable, counting.__file__, address, "6379")
    before = opened(near)[1]
    with subprocess.Popen(
        argv, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as counters:
        until(lambda: opened(near)[0] >= counting.KEPT, "all of them have begun")
        for kills in range(1, KILLS + 1):
            if plane == "relay":
                until(lambda: workers_have_all(near), "workers have all", within=30)
            os.kill(control(near), signal.SIGKILL)
            until(
                lambda: near.logs("ambassador").count(" is ready: ") > kills,  # noqa: B023
                "it is there again",
                within=20,
            )
        said, _ = counters.communicate("", 60)
    found = json.loads(said)
    figure(
        f"{KILLS} kills in a container, {plane}: longest answer {found['longest'] * 1000:.0f} ms"
    )
    assert found["failures"] == []
    assert found["counts"] > 100
    assert "was killed by SIGKILL" in near.logs("ambassador")
    if plane == "relay":
        until(lambda: opened(near) == (0, before + found["connections"]), "all are counted")
    near.docker("stop", "ambassador")
    state = near.inspect("ambassador")
    assert (state["State"]["ExitCode"], state["RestartCount"]) == (0, 0)


def test_an_idle_one_refuses_nobody_either(near: Engine) -> None:
    address = run_ambassador(near)
    os.kill(control(near), signal.SIGKILL)
    for _ in range(20):
        assert resp.ask(near, "PING", address) == "PONG"
    assert near.running("ambassador")


def test_memory_of_all_its_processes(near: Engine, figure: Callable[[str], None]) -> None:
    """What the cgroup counts, without files in the page cache: what `docker stats` shows."""
    near.docker("run", "-d", "--name", "redis", REDIS)
    near.docker("run", "-d", "--name", "ambassador", "--link", "redis:redis", AMBASSADOR)
    resp.first_pong(near, near.container_address("ambassador"))
    stats = near.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", "ambassador")
    used = stats.split("/")[0].strip()
    figure(f"memory of an idle container, as docker stats tells it: {used}")
    assert used.endswith("MiB")
    assert float(used.removesuffix("MiB")) < 30
