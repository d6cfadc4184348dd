"""The kernel plane in containers: what the image needs to have it, and what it says without."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.unit.planes.kernel.goldens import FOLDER, GOLDENS

from .bed import resp
from .bed.command import until
from .bed.engine import Engine
from .bed.images import AMBASSADOR, AMBASSADOR_PYTHON, REDIS

BOTH = pytest.mark.parametrize("image", [AMBASSADOR, AMBASSADOR_PYTHON])
NET_ADMIN = ("--cap-add", "NET_ADMIN")
NO_NEW = ("--security-opt", "no-new-privileges")


def start(host: Engine, *args: str, image: str = AMBASSADOR) -> str:
    """Start Redis and an ambassador before it; return the ambassador's address."""
    host.docker("run", "-d", "--name", "redis", REDIS)
    endpoint = f"REDIS_PORT_6379_TCP=tcp://{host.container_address('redis')}:6379"
    host.docker("run", "-d", "--name", "ambassador", "-e", endpoint, *args, image)
    address = host.container_address("ambassador")
    resp.first_pong(host, address)
    until(lambda: "plane" in host.logs("ambassador"), "the route is in the log")
    return address


def seen_by_redis(host: Engine) -> set[str]:
    """Return the addresses Redis has clients from."""
    lines = host.docker("exec", "redis", "redis-cli", "CLIENT", "LIST").splitlines()
    return {line.split("addr=")[1].split(":")[0] for line in lines if "cmd=client" not in line}


@BOTH
@pytest.mark.parametrize("confined", [(), ("--read-only", "--cap-drop", "ALL", *NET_ADMIN)])
def test_the_capability_is_enough_for_the_user_of_the_image(
    near: Engine, image: str, confined: Sequence[str]
) -> None:
    address = start(near, *NET_ADMIN, *confined, image=image)
    assert "plane kernel" in near.logs("ambassador")
    with resp.session(near, address) as session:
        assert session.ask("PING") == "PONG"
        assert seen_by_redis(near) == {address}
        sockets = near.docker("exec", "ambassador", "cat", "/proc/net/tcp6", "/proc/net/tcp")
        established = [line for line in sockets.splitlines() if " 01 " in line]
        assert established == []  # the connection is not one of ours
    row = _row(near)
    assert (row[0], row[3]) == ("redis", "kernel")
    assert int(row[5]) >= 2  # the first PONG, and this session


@BOTH
def test_without_the_capability_the_relay_has_it_and_says_why(near: Engine, image: str) -> None:
    start(near, image=image)
    log = near.logs("ambassador")
    assert "plane relay (CAP_NET_ADMIN is missing (docker run --cap-add NET_ADMIN))" in log


def test_under_no_new_privileges_the_relay_has_it_and_says_why(near: Engine) -> None:
    start(near, *NET_ADMIN, *NO_NEW)
    assert "plane relay (under no-new-privileges user 65532" in near.logs("ambassador")


def test_root_has_the_kernel_plane_under_no_new_privileges(near: Engine) -> None:
    start(near, *NET_ADMIN, *NO_NEW, "--user", "0")
    assert "plane kernel" in near.logs("ambassador")


def test_where_it_is_demanded_but_not_granted_nothing_starts(near: Engine) -> None:
    done = near.client(
        *("run", "--rm", "-e", "AMBASSADOR_PLANE=kernel"),
        *("-e", "REDIS_PORT_6379_TCP=tcp://10.0.0.1:6379", AMBASSADOR),
        ok=(1,),
    )
    assert "docker run --cap-add NET_ADMIN" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_published_port_and_a_sidecar_take_the_fast_path(near: Engine) -> None:
    address = start(near, *NET_ADMIN, "-p", "6379:6379")
    assert resp.ask(near, "PING", str(near.address)) == "PONG"
    sidecar = ("run", "--rm", "--network", "container:ambassador", "--entrypoint", "redis-cli")
    assert near.docker(*sidecar, REDIS, "-h", address, "PING") == "PONG"
    assert near.docker(*sidecar, REDIS, "-h", "127.0.0.1", "PING") == "PONG"
    row = _row(near)
    assert row[3:4] == ["kernel"]
    assert int(row[5]) >= 3


def test_the_rules_of_the_engine_s_own_dns_stay_as_they_are(near: Engine) -> None:
    near.docker("network", "create", "inner")
    near.docker("run", "-d", "--name", "redis", "--network", "inner", REDIS)
    near.docker(
        *("run", "-d", "--name", "ambassador", "--network", "inner", *NET_ADMIN),
        *("-e", "REDIS_PORT_6379_TCP=tcp://redis:6379"),
        *("-e", "DNS_PORT_53_UDP=udp://redis:53", AMBASSADOR),
    )
    networks = near.inspect("ambassador")["NetworkSettings"]["Networks"]
    address = networks["inner"]["IPAddress"]
    resp.first_pong(near, address)
    until(lambda: near.logs("ambassador").count("plane kernel") == 2, "both are in the kernel")
    lookup = "import socket; print(socket.gethostbyname('redis'))"
    argv = ("exec", "ambassador", "/opt/ambassador/bin/python3", "-c", lookup)
    redis = near.inspect("redis")["NetworkSettings"]["Networks"]["inner"]["IPAddress"]
    assert near.docker(*argv) == redis


@BOTH
def test_the_nft_of_the_image_takes_every_golden_text(near: Engine, image: str) -> None:
    files = " ".join(f"{name}.nft" for name in GOLDENS)
    near.docker(
        *("run", "--rm", "--user", "0", *NET_ADMIN, "--volume", f"{FOLDER}:/golden:ro"),
        *("--workdir", "/golden", "--entrypoint", "sh", image),
        *("-c", f"cat {files} | nft --check -f -"),
    )


def _row(host: Engine) -> list[str]:
    """Return the words of the row that status has of the route; notes may follow."""
    lines = host.docker("exec", "ambassador", "ambassador", "status").splitlines()
    (row,) = [words for line in lines if (words := line.split())[:1] == ["redis"]]
    return row
