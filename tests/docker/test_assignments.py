"""Every way the page, its successors and the engine tell a container its routes."""

from __future__ import annotations

import pytest

from .bed import resp
from .bed.engine import Engine
from .bed.images import AMBASSADOR, REDIS


def run_redis(host: Engine, name: str, *args: str) -> str:
    """Start a Redis that knows its own name; return its address."""
    host.docker("run", "-d", "--name", name, *args, REDIS)
    address = host.container_address(name)
    resp.first_pong(host, address)
    resp.ask(host, f"SET name {name}", address)
    return address


def run_ambassador(host: Engine, *args: str, arguments: tuple[str, ...] = ()) -> str:
    """Start the image; return its address."""
    host.docker("run", "-d", "--name", "ambassador", *args, AMBASSADOR, *arguments)
    return host.container_address("ambassador")


def name_at(host: Engine, address: str, port: int = 6379) -> str:
    """Return the name of the Redis that answers there."""
    resp.first_pong(host, address, port)
    return resp.ask(host, "GET name", address, port)


def test_each_of_several_variables_is_a_route(near: Engine) -> None:
    first, second = run_redis(near, "first"), run_redis(near, "second")
    address = run_ambassador(
        near,
        *("-e", f"REDIS_PORT_6379_TCP=tcp://{first}:6379"),
        *("-e", f"CACHE_PORT_6380_TCP=tcp://{second}:6379"),
        *("-e", f"REDIS_PORT_16379_TCP=tcp://{second}:6379"),
    )
    assert name_at(near, address, 6379) == "first"
    assert name_at(near, address, 6380) == "second"
    assert name_at(near, address, 16379) == "second"


def test_all_variables_of_a_link_make_a_route_for_each_port_and_range(near: Engine) -> None:
    run_redis(near, "redis", "--expose", "7000-7002", "-e", "REDIS_PORT_1_TCP=tcp://nowhere:1")
    address = run_ambassador(near, "--link", "redis:redis")
    found = near.docker("exec", "ambassador", "env").splitlines()
    names = {line.partition("=")[0] for line in found}
    for name in ("REDIS_NAME", "REDIS_PORT", "REDIS_PORT_6379_TCP_ADDR", "REDIS_PORT_7000_TCP"):
        assert name in names
    assert "REDIS_ENV_REDIS_PORT_1_TCP=tcp://nowhere:1" in found

    assert name_at(near, address) == "redis"
    checked = near.docker("exec", "ambassador", "ambassador", "check")
    for listen in (":6379", ":7000-7002"):
        assert f" {listen} " in checked
    assert "nowhere" not in checked


def test_host_and_port_as_arguments_are_a_route_on_that_port(near: Engine) -> None:
    redis = run_redis(near, "redis")
    address = run_ambassador(near, arguments=(redis, "6379"))
    assert name_at(near, address) == "redis"


def test_an_assignment_as_an_argument_wins_over_the_environment(near: Engine) -> None:
    first, second = run_redis(near, "first"), run_redis(near, "second")
    address = run_ambassador(
        near,
        *("-e", f"REDIS_PORT_6379_TCP=tcp://{first}:6379"),
        arguments=(f"REDIS_PORT_6379_TCP=tcp://{second}:6379",),
    )
    assert name_at(near, address) == "second"


def test_a_bare_image_with_a_link_needs_nothing_else(near: Engine) -> None:
    run_redis(near, "redis")
    assert name_at(near, run_ambassador(near, "--link", "redis:redis")) == "redis"


@pytest.mark.parametrize(
    ("alias", "settings"), [("redis", []), ("cache", ["AMBASSADOR_PORTS=6379"])]
)
def test_a_link_without_variables_is_a_route_as_on_docker_29(
    near: Engine, alias: str, settings: list[str]
) -> None:
    run_redis(near, "redis")
    near.docker(
        *("run", "-d", "--name", "ambassador", "--link", f"redis:{alias}", "--entrypoint", "env"),
        *(AMBASSADOR, "-i", *settings, "/opt/ambassador/bin/ambassador"),
    )
    assert name_at(near, near.container_address("ambassador")) == "redis"
    assert f"{alias}  :6379 -> {alias}:6379" in near.logs("ambassador")


def test_an_alias_that_only_hosts_tells_of_gets_its_ports_from_a_setting(near: Engine) -> None:
    redis = run_redis(near, "redis")
    address = run_ambassador(near, "--add-host", f"sessions:{redis}", "-e", "AMBASSADOR_PORTS=6379")
    assert name_at(near, address) == "redis"


@pytest.mark.parametrize(
    ("args", "arguments", "words"),
    [
        (("-e", "REDIS_PORT_6379_TCP=http://redis:6379"), (), ("REDIS_PORT_6379_TCP", "http")),
        (("-e", "REDIS_PORT_99999_TCP=tcp://redis:1"), (), ("REDIS_PORT_99999_TCP",)),
        (("-e", "REDIS_PORT_6379_TCP=udp://redis:6379"), (), ("REDIS_PORT_6379_TCP", "udp")),
        (("--add-host", "sessions:192.0.2.1"), (), ("sessions", "-e SESSIONS_PORT_")),
        ((), (), ("-e ",)),
        ((), ("redis", "0"), ("0",)),
        ((), ("REDIS_PORT_6379_TCP=tcp://[fd00::52:6379",), ("REDIS_PORT_6379_TCP",)),
    ],
    ids=["scheme", "port", "contradiction", "alias", "nothing", "arguments", "brackets"],
)
def test_a_wrong_configuration_is_said_and_ends_the_container_with_2(
    near: Engine, args: tuple[str, ...], arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    run_ambassador(near, *args, arguments=arguments)
    assert near.exit_code("ambassador") == 2
    said = near.logs("ambassador")
    for word in words:
        assert word in said
    assert "Traceback" not in said
