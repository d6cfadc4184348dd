"""What the container may not do, and needs not."""

from __future__ import annotations

import errno
import json
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from .bed import resp
from .bed.command import run, until
from .bed.engine import Engine
from .bed.images import AMBASSADOR, AMBASSADOR_PYTHON, REDIS

HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@pytest.mark.parametrize("image", [AMBASSADOR, AMBASSADOR_PYTHON])
@pytest.mark.parametrize("port", [6379, 80])
def test_a_read_only_container_without_capabilities_serves_any_port(
    near: Engine, image: str, port: int
) -> None:
    near.docker("run", "-d", "--name", "redis", REDIS)
    redis = near.container_address("redis")
    near.docker(
        *("run", "-d", "--name", "ambassador", *HARDENED, "--health-interval", "1s"),
        *("-e", f"X_PORT_{port}_TCP=tcp://{redis}:6379", image),
    )
    resp.first_pong(near, near.container_address("ambassador"), port)
    near.docker("exec", "ambassador", "ambassador", "healthcheck")

    status = near.docker("exec", "ambassador", "sh", "-c", "cat /proc/[0-9]*/status")
    facts = [line.split(":\t") for line in status.splitlines()]
    assert {value for key, value in facts if key == "CapEff"} == {"0" * 16}
    assert not any("0" in value.split() for key, value in facts if key == "Uid")


def test_each_hint_about_a_port_that_may_not_be_bound_works_when_typed(near: Engine) -> None:
    """With the network of the host, where docker refuses --sysctl and port 80 is the host's."""
    near.docker("run", "-d", "--name", "redis", REDIS)
    to = f"X_PORT_80_TCP=tcp://{near.container_address('redis')}:6379"
    begin = ("run", "-d", "--name", "ambassador", "--network", "host", "-e", to)
    near.docker(*begin, AMBASSADOR)
    assert near.exit_code("ambassador") == 1
    said = near.logs("ambassador")
    (listen,) = re.findall(r"such a port with \.\.\.(_LISTEN=:(\d+)),", said)
    (flags,) = re.findall(r"\(docker run (.+?), systemd", said)
    (setting,) = re.findall(r"lower that limit: sysctl -w (\S+), on the host", said)

    def served(port: int, *more: str) -> None:
        near.docker("rm", "-f", "ambassador")
        near.docker(*begin, *more, AMBASSADOR)
        resp.first_pong(near, "127.0.0.1", port)

    served(int(listen[1]), "-e", f"X_PORT_80_TCP{listen[0]}")
    served(80, *flags.split())
    name = setting.partition("=")[0]
    before = run(near.inside("sysctl", "-n", name)).stdout.strip()
    try:
        run(near.inside("sysctl", "-w", setting))
        served(80)
    finally:
        run(near.inside("sysctl", "-w", f"{name}={before}"))


def test_busy_sessions_have_processes_of_their_own_there_too(near: Engine) -> None:
    near.docker("run", "-d", "--name", "redis", REDIS)
    redis = near.container_address("redis")
    near.docker(
        *("run", "-d", "--name", "ambassador", *HARDENED, "-e", "AMBASSADOR_WORKERS=2"),
        *("-e", f"X_PORT_6379_TCP=tcp://{redis}:6379", AMBASSADOR),
    )
    address = near.container_address("ambassador")
    resp.first_pong(near, address)
    load = ("redis-benchmark", "-h", address, "-c", "20", "-l", "-q", "-t", "ping_mbulk")

    def workers() -> int:
        return near.docker("top", "ambassador", "-eo", "pid,args").count("relay.worker_main")

    with subprocess.Popen(near.inside(*load), stdout=subprocess.DEVNULL) as benchmark:
        try:
            until(lambda: workers() == 2, "two processes carry", within=20)
            assert resp.ask(near, "ping", address) == "PONG"
            status = near.docker("exec", "ambassador", "ambassador", "status", "--json")
            assert json.loads(status)["routes"][0]["open"] >= 20
            began = time.monotonic()
            near.docker("stop", "ambassador")  # 8 s for open sessions, then they are cut
            assert time.monotonic() - began < 10
        finally:
            benchmark.kill()  # it tries again for ever
    assert near.inspect("ambassador")["State"]["ExitCode"] == 0


def test_the_health_check_turns_healthy(near: Engine) -> None:
    near.docker("run", "-d", "--name", "redis", REDIS)
    near.docker(
        *("run", "-d", "--name", "ambassador", "--link", "redis:redis"),
        *("--health-interval", "0.5s", *HARDENED, AMBASSADOR),
    )

    def healthy() -> bool:
        return near.inspect("ambassador")["State"]["Health"]["Status"] == "healthy"

    until(healthy, "the engine calls it healthy", within=15)


def test_a_health_check_without_a_daemon_fails(near: Engine) -> None:
    done = near.client("run", "--rm", AMBASSADOR, "healthcheck", ok=(1,))
    assert "Traceback" not in done.stderr


def test_a_kernel_without_ipv6_is_served_on_ipv4(near: Engine, tmp_path: Path) -> None:
    ipv6 = {"index": 0, "value": socket.AF_INET6, "op": "SCMP_CMP_EQ"}
    refused = {"action": "SCMP_ACT_ERRNO", "errnoRet": errno.EAFNOSUPPORT, "args": [ipv6]}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["socket"], **refused}]}
    file = tmp_path / "no-ipv6.json"
    file.write_text(json.dumps(profile))

    near.docker("run", "-d", "--name", "redis", REDIS)
    near.docker(
        *("run", "-d", "--name", "ambassador", "--link", "redis:redis"),
        *("--security-opt", f"seccomp={file}", AMBASSADOR),
    )
    resp.first_pong(near, near.container_address("ambassador"))
