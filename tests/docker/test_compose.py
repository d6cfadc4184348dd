"""The Compose example of two hosts, run by Compose itself."""

from __future__ import annotations

import shutil

import pytest

from .bed.command import run, until
from .bed.engine import Engine
from .bed.images import CHECKOUT

FILES = CHECKOUT / "deploy" / "compose"


@pytest.fixture(scope="session")
def compose(hosts: tuple[Engine, Engine]) -> list[str]:
    """Return the command of Compose, version 2 or 1.29, whichever is here."""
    if run(["docker", "compose", "version"], ok=None).returncode == 0:
        return ["docker", "compose"]
    if not shutil.which("docker-compose"):
        pytest.skip("needs docker-compose: ./dev test")
    version = run(["docker-compose", "version", "--short"]).stdout
    engine = hosts[0].docker("version", "--format", "{{.Server.Version}}")
    if version.startswith("1.") and int(engine.partition(".")[0]) >= 25:
        # Docker's API lost ContainerConfig in 1.45; Compose 1 reads it to replace a container.
        pytest.skip(f"Compose {version.strip()} cannot replace a container on Docker {engine}")
    return ["docker-compose"]


def up(compose: list[str], host: Engine, file: str, *services: str, **variables: str) -> None:
    """Bring up one of the two files on a host."""
    argv = [*compose, "-f", str(FILES / file), "up", "-d", *services]
    run(argv, env={**host.environment, **variables}, within=90)


def test_the_consumer_goes_on_when_redis_moves(
    far: Engine, near: Engine, compose: list[str]
) -> None:
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


def test_the_file_says_what_it_lacks(near: Engine, compose: list[str]) -> None:
    argv = [*compose, "-f", str(FILES / "consumer-host.yaml"), "config"]
    done = run(argv, env=near.environment, ok=None)
    assert done.returncode != 0
    assert "the address or name of the host of Redis" in done.stderr
