"""The Compose example of two hosts, run by Compose itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .bed import resp, root
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
        mounts = (f"{host.folder}/docker.sock:/var/run/docker.sock", f"{CHECKOUT}:{CHECKOUT}:ro")
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


# Says PING over one new connection after the other until its input ends; then how many there were,
# how many were not served, and how many of a replica that was stopped under them: what Redis has
# not read when it ends is reset, by its kernel, whoever is between.
KNOCKS = """
import select, socket, sys
total = wrong = ended = 0
while not select.select([sys.stdin], [], [], 0.005)[0]:
    total += 1
    try:
        with socket.create_connection((sys.argv[1], 6379), 10) as one:
            one.settimeout(10)
            one.sendall(b"PING\\r\\n")
            answer = one.recv(7)
            wrong += answer not in (b"+PONG\\r\\n", b"")
            ended += answer == b""
    except ConnectionResetError:
        ended += 1
    except OSError as error:
        print(error, file=sys.stderr)
        wrong += 1
print(total, wrong, ended)
"""


def test_nobody_is_refused_while_replicas_come_and_go_and_are_recreated(
    near: Engine, compose: Compose
) -> None:
    file, engine = str(Path(__file__).parent / "replicas.yaml"), {"ENGINE": str(near.folder)}
    done = compose(near, file, "-p", "shop", "up", "-d", **engine)
    assert done.returncode == 0, done.stderr
    (name,) = near.docker("ps", "--filter", "name=ambassador", "--format", "{{.Names}}").split()
    networks = near.inspect(name)["NetworkSettings"]["Networks"]
    address = networks["shop_default"]["IPAddress"]
    resp.first_pong(near, address)

    def replicas() -> int:
        text = near.docker("exec", name, "ambassador", "status", "--json")
        endpoint = json.loads(text)["routes"][0]["endpoints"][0]
        return len([one for one in endpoint["containers"] if one["addresses"]])

    with subprocess.Popen(
        near.inside(sys.executable, "-c", KNOCKS, address),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        for count in (4, 2):
            scale = ("up", "-d", "--no-recreate", "--scale", f"web={count}")
            done = compose(near, file, "-p", "shop", *scale, **engine)
            assert done.returncode == 0, done.stderr
            until(lambda count=count: replicas() == count, f"{count} are known")  # type: ignore[misc]
        scale = ("--force-recreate", "--no-deps", "--scale", "web=2", "web")
        done = compose(near, file, "-p", "shop", "up", "-d", *scale, **engine)
        assert done.returncode == 0, done.stderr
        until(lambda: replicas() == 2, "both are back")
        said, _ = client.communicate("", timeout=30)
    total, wrong, ended = map(int, said.split())
    assert total > 50
    assert wrong == 0
    assert ended <= 4  # so many replicas were stopped
