"""The Compose example of two hosts, run by Compose itself."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from .bed import root
from .bed.command import run, until
from .bed.engine import Engine
from .bed.images import CHECKOUT

FILES = CHECKOUT / "deploy" / "compose"
IMAGE = "compose"


Compose = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["installed", "2 in a container"])
def compose(request: pytest.FixtureRequest, hosts: tuple[Engine, Engine]) -> Compose:
    """Return how Compose is run on a host: the one that is installed, version 2 or 1.29, and
    version 2 of Debian 13 in a container.
    """
    if request.param == "installed":
        return _installed(hosts[0])
    with root.locked():
        tar = root.compose()
    for host in hosts:
        if host.client("image", "inspect", IMAGE, ok=None).returncode:
            host.docker("import", str(tar), IMAGE, within=120)

    def inside(host: Engine, file: str, *arguments: str, **variables: str) -> Any:
        mounts = (f"{host.folder}/docker.sock:/var/run/docker.sock", f"{FILES}:{FILES}:ro")
        return host.client(
            *("run", "--rm", *(f"--volume={one}" for one in mounts)),
            *(f"--env={name}={value}" for name, value in variables.items()),
            *(IMAGE, "docker-compose", "-f", str(FILES / file), *arguments),
            within=90,
            ok=None,
        )

    return inside


def _installed(host: Engine) -> Compose:
    command = ["docker", "compose"]
    if run(["docker", "compose", "version"], ok=None).returncode:
        if not shutil.which("docker-compose"):
            pytest.skip("needs docker-compose: ./dev test")
        command = ["docker-compose"]
        version = run(["docker-compose", "version", "--short"]).stdout
        engine = host.docker("version", "--format", "{{.Server.Version}}")
        if version.startswith("1.") and int(engine.partition(".")[0]) >= 25:
            # Docker's API lost ContainerConfig in 1.45; Compose 1 reads it to replace a container.
            pytest.skip(f"Compose {version.strip()} cannot replace a container on Docker {engine}")

    def outside(host: Engine, file: str, *arguments: str, **variables: str) -> Any:
        argv = [*command, "-f", str(FILES / file), *arguments]
        return run(argv, env={**host.environment, **variables}, within=90, ok=None)

    return outside


def up(compose: Compose, host: Engine, file: str, *services: str, **variables: str) -> None:
    """Bring up one of the two files on a host."""
    done = compose(host, file, "up", "-d", *services, **variables)
    assert done.returncode == 0, done.stderr


def test_the_consumer_goes_on_when_redis_moves(far: Engine, near: Engine, compose: Compose) -> None:
    up(compose, far, "redis-host.yaml")
    up(compose, near, "consumer-host.yaml", REDIS_HOST=str(far.address))
    # Compose 1 joins the parts of a name with "_", Compose 2 with "-".
    name = near.docker("ps", "--format", "{{.Names}}", "--filter", "name=consumer")
    until(lambda: "PONG" in near.logs(name), "the first PONG", within=20)
    before = near.inspect(name)

    far.docker("rm", "-f", *far.docker("ps", "-q").split())
    up(compose, near, "redis-host.yaml", COMPOSE_PROJECT_NAME="moved")
    answered = near.logs(name).count("PONG")
    up(compose, near, "consumer-host.yaml", "redis_ambassador", REDIS_HOST=str(near.address))
    until(lambda: near.logs(name).count("PONG") > answered + 1, "more PONGs", within=20)
    after = near.inspect(name)
    assert (after["Id"], after["State"]) == (before["Id"], before["State"])


def test_the_file_says_what_it_lacks(near: Engine, compose: Compose) -> None:
    done = compose(near, "consumer-host.yaml", "config")
    assert done.returncode != 0
    assert "the address or name of the host of Redis" in done.stderr


def test_with_a_wrong_variable_no_ambassador_is_begun(near: Engine, compose: Compose) -> None:
    assert compose(near, "consumer-host.yaml", "up", "-d", REDIS_HOST="a b").returncode != 0
    rows = near.docker("ps", "-a", "--format", "{{.Names}} {{.Status}}").splitlines()
    assert not [row for row in rows if "redis_ambassador" in row and " Up " in f"{row} "]
    (check,) = [row for row in rows if "redis_check" in row]
    assert "Exited (2)" in check
