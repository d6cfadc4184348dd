"""kill -9 of the ambassador in its container: process 1 starts another, and no client notices."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from .bed import counting, resp
from .bed.command import until
from .bed.engine import Engine
from .bed.images import AMBASSADOR, REDIS
from .test_stop import run_ambassador

KILLS = 4
# Run in the container: of the process that is no worker, how many connections it has; or kill it.
CONTROL = """
import os, sys
for pid in filter(str.isdecimal, os.listdir("/proc")):
    try:
        words = open(f"/proc/{pid}/cmdline").read().split("\\0")
    except OSError:
        continue
    if int(pid) > 1 and "run" in words and not any("worker_main" in word for word in words):
        break
else:
    sys.exit("it is not there")
if sys.argv[1] == "kill":
    os.kill(int(pid), 9)
    sys.exit()
inodes = set()
for one in os.listdir(f"/proc/{pid}/fd"):
    try:
        inodes.add(os.readlink(f"/proc/{pid}/fd/{one}")[8:-1])
    except OSError:
        pass
rows = [line.split() for name in ("tcp", "tcp6") for line in list(open(f"/proc/net/{name}"))[1:]]
print(sum(row[3] == "01" and row[9] in inodes for row in rows))
"""


def control(host: Engine, what: str) -> str:
    """Look at, or kill, the control process in the container."""
    as_root = ("exec", "--privileged", "--user", "0", "ambassador")
    return host.docker(*as_root, "/opt/ambassador/bin/python3", "-c", CONTROL, what)


def opened(host: Engine) -> tuple[int, int]:
    """Return how many sessions are open, and were opened."""
    status = json.loads(host.docker("exec", "ambassador", "ambassador", "status", "--json"))
    (route,) = status["routes"]
    return route["open"], route["opened"]


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
        if plane == "relay":
            until(lambda: control(near, "look") == "0", "workers have all sessions", within=30)
        for kills in range(1, KILLS + 1):
            control(near, "kill")
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
    control(near, "kill")
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
    assert float(used.removesuffix("MiB")) < 40
