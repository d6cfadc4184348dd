"""Docker's page on ambassador containers, command by command, and what it promises.

The page is `articles/ambassador_pattern_linking` in Docker's documentation of 1.3 to 17.09.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.terminal import Terminal

from .bed import resp
from .bed.command import until
from .bed.engine import Engine
from .bed.images import AMBASSADOR, REDIS, REDIS_CLI


def start_redis_side(host: Engine, name: str = "redis_ambassador") -> None:
    """Do what the page does on the host of Redis, and let Redis know where it is."""
    host.docker("run", "-d", "--name", "redis", REDIS)
    host.docker("run", "-d", "--link", "redis:redis", "--name", name, "-p", "6379:6379", AMBASSADOR)
    resp.first_pong(host, str(host.address))
    resp.ask(host, f"SET where {host.address}", str(host.address))


def start_consumer_side(host: Engine, address: str | None) -> None:
    """Do what the page does for the ambassador beside the consumer."""
    host.docker(
        *("run", "-d", "--name", "redis_ambassador", "--expose", "6379"),
        *("-e", f"REDIS_PORT_6379_TCP=tcp://{address}:6379", AMBASSADOR),
    )
    resp.first_pong(host, host.container_address("redis_ambassador"))


@contextmanager
def consumer(host: Engine) -> Iterator[Terminal]:
    """Run the page's consumer on a terminal, up to its prompt."""
    command = f"docker run -i -t --rm --link redis_ambassador:redis {REDIS_CLI}"
    with Terminal(command.split(), {**os.environ, **host.environment}) as shell:
        shell.read_until(lambda seen: seen.endswith(":6379> "))
        yield shell


def shown(shell: Terminal, line: str) -> str:
    """Type a line and return what is shown from then on, up to the next prompt."""
    before = len(shell.seen)
    shell.type(line + "\r")
    return shell.read_until(lambda seen: seen[before:].endswith("> "), within=20)[before:]


def test_a_consumer_pings_redis_on_another_host(far: Engine, near: Engine) -> None:
    start_redis_side(far)
    start_consumer_side(near, far.address)
    with consumer(near) as shell:
        assert "PONG" in shown(shell, "ping")


def test_a_consumer_goes_on_when_redis_moves_and_its_ambassador_is_replaced(
    far: Engine, near: Engine
) -> None:
    start_redis_side(far)
    start_consumer_side(near, far.address)
    with consumer(near) as shell:
        assert "192.168.1.52" in shown(shell, "get where")
        address = near.container_address("redis_ambassador")

        start_redis_side(near, name="new_host_ambassador")
        near.docker("rm", "-f", "redis_ambassador")
        start_consumer_side(near, near.address)
        # The engine hands out the lowest address that is free, so a link stays right.
        assert near.container_address("redis_ambassador") == address

        # Its connection ended with the old ambassador.
        assert "not connected>" in shown(shell, "ping")
        assert "192.168.1.53" in shown(shell, "get where")


def test_a_consumer_goes_on_when_its_ambassador_restarts_with_another_address(
    far: Engine, near: Engine
) -> None:
    start_redis_side(far)
    start_consumer_side(near, far.address)
    near.docker(
        *("run", "-d", "--name", "consumer", "--link", "redis_ambassador:redis", REDIS),
        *("sh", "-c", "while sleep 0.2; do redis-cli -h redis ping; done"),
    )
    until(lambda: "PONG" in near.logs("consumer"), "the consumer's first PONG")
    before = near.inspect("consumer")["State"]["StartedAt"]
    address = near.container_address("redis_ambassador")

    near.docker("stop", "redis_ambassador")
    near.docker("run", "-d", REDIS, "sleep", "600")  # takes the address
    near.docker("start", "redis_ambassador")

    assert near.container_address("redis_ambassador") != address
    answered = near.logs("consumer").count("PONG")
    until(lambda: near.logs("consumer").count("PONG") > answered + 2, "more PONGs")
    assert near.inspect("consumer")["State"]["StartedAt"] == before
