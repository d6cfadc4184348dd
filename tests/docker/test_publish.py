"""`ambassador publish` on a host with a real engine: TCP, UDP, IPv6, the host's own network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .bed import resp
from .bed.command import run, until
from .bed.engine import Engine
from .bed.images import AMBASSADOR, REDIS
from .test_udp import ASK, ECHO

PROGRAM = (sys.executable, "-m", "ambassador")


def environ_of(host: Engine, runtime: Path) -> dict[str, str]:
    """Return what the program needs on the host: its engine, and a folder for admin sockets."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "COV"))}
    return {**kept, "AMBASSADOR_DOCKER": f"unix://{host.folder}/docker.sock"} | {
        "XDG_RUNTIME_DIR": str(runtime)
    }


def on(host: Engine, *words: str) -> list[str]:
    """Return `ambassador` with `words` as a command on the host: its processes, network, files."""
    return ["nsenter", "-t", str(host.pid), "--net", "--pid", "--mount", *PROGRAM, *words]


@contextmanager
def started(host: Engine, runtime: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run `ambassador` with `words` on the host until the block ends; it must end well."""
    with subprocess.Popen(
        on(host, *words),
        env=environ_of(host, runtime),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            # nsenter(1) waits for the program, which is in another PID namespace, as its parent.
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            for child in children.split():
                os.kill(int(child), signal.SIGTERM)
            assert process.wait(20) == 0


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def said(host: Engine, runtime: Path, *words: str, ok: Sequence[int] = (0,)) -> str:
    done = run(on(host, *words), env=environ_of(host, runtime), ok=ok)
    return done.stdout + done.stderr


def test_a_port_follows_restarts_and_recreation_and_ends_with_the_command(
    near: Engine, tmp_path: Path
) -> None:
    near.docker("run", "-d", "--name", "redis", REDIS)
    with started(near, tmp_path, "publish", "redis", "7000:6379") as process:
        assert first_line(process).startswith("port 7000 leads to redis, at ")
        resp.first_pong(near, "127.0.0.1", 7000)
        assert ":7000" in said(near, tmp_path, "publish", "--list")
        before = near.container_address("redis")
        near.docker("restart", "-t", "0", "redis")
        resp.first_pong(near, "127.0.0.1", 7000)
        near.docker("rm", "-f", "redis")
        near.docker("run", "-d", "--name", "other", REDIS)
        near.docker("run", "-d", "--name", "redis", REDIS)
        assert near.container_address("redis") != before
        resp.first_pong(near, near.container_address("redis"))
        resp.ask(near, "SET who redis", near.container_address("redis"))
        until(lambda: resp.ask(near, "GET who", "127.0.0.1", 7000) == "redis", "it is followed")
        resp.first_pong(near, "::1", 7000)
    assert resp.ask(near, "PING", "127.0.0.1", 7000) == "gone"


def test_udp_and_the_network_of_the_host(near: Engine, tmp_path: Path) -> None:
    echo = ("--entrypoint", "python3", "--user", "0", AMBASSADOR, "-c", ECHO)
    near.docker("run", "-d", "--name", "echo", *echo)
    near.docker("run", "-d", "--name", "redis", "--network", "host", REDIS)
    with (
        started(near, tmp_path, "publish", "echo", "5354:53/udp") as udp,
        started(near, tmp_path, "publish", "redis", "7001:6379") as tcp,
    ):
        assert "leads to echo" in first_line(udp)
        assert "leads to redis" in first_line(tcp)
        ask = near.inside(sys.executable, "-c", ASK, "127.0.0.1", "5354", "9")
        assert run(ask).stdout == "True\n"
        resp.first_pong(near, "127.0.0.1", 7001)
        taken = said(near, tmp_path, "publish", "redis", "7001:6379", ok=(1,))
        assert "leads to" not in taken
        assert "runs here" in taken


def test_what_only_listens_at_its_own_loopback_is_told_with_a_line_that_works(
    near: Engine, tmp_path: Path
) -> None:
    near.docker("run", "-d", "--name", "redis", REDIS, "redis-server", "--bind", "127.0.0.1")
    until(lambda: "Ready to accept" in near.logs("redis"), "it is ready")
    told = said(near, tmp_path, "publish", "redis", "7000:6379", ok=(1,))
    first, second = (line.split() for line in told.splitlines() if line.startswith("  "))
    assert first[0] == "docker"
    near.docker(*(AMBASSADOR if word == "ambassador" else word for word in first[1:]))
    with started(near, tmp_path, *second[1:]) as process:
        assert "leads to redis" in first_line(process)
        resp.first_pong(near, "127.0.0.1", 7000)


def test_a_kept_port_is_a_wish_of_the_ambassador_that_runs_and_outlives_it(
    near: Engine, tmp_path: Path
) -> None:
    near.docker("run", "-d", "--name", "redis", REDIS)
    near.docker("run", "-d", "--name", "other", REDIS)
    main = ("run", "--state", str(tmp_path / "state"), "X_PORT_7002_TCP=docker://other:6379")
    with started(near, tmp_path, *main):
        resp.first_pong(near, "127.0.0.1", 7002)
        said(near, tmp_path, "publish", "--keep", "redis", "7000:6379")
        resp.first_pong(near, "127.0.0.1", 7000)
    with started(near, tmp_path, *main):
        resp.first_pong(near, "127.0.0.1", 7000)
        listed = json.loads(said(near, tmp_path, "publish", "--list", "--json"))
        assert "7000" in json.dumps(listed)
        said(near, tmp_path, "remove", "published_redis")
        deadline = time.monotonic() + 10
        while resp.ask(near, "PING", "127.0.0.1", 7000) != "gone":
            assert time.monotonic() < deadline
