"""Docker's page on ambassador containers, command by command.

https://docs.docker.com/engine/network/links/ explains links; the page on ambassadors is in the
documentation of Docker 1.x to 17.09, `articles/ambassador_pattern_linking`.
"""

from __future__ import annotations

import re

from .bed.engine import Engine
from .bed.images import AMBASSADOR, REDIS, REDIS_CLI
from .bed.terminal import terminal

PROMPT = re.compile(r"\d+\.\d+\.\d+\.\d+:6379> ")


def start_far_side(far: Engine) -> None:
    far.docker("run", "-d", "--name", "redis", REDIS)
    far.docker(
        *("run", "-d", "--link", "redis:redis", "--name", "redis_ambassador"),
        *("-p", "6379:6379", AMBASSADOR),
    )


def start_near_side(near: Engine, address: str | None) -> None:
    near.docker(
        *("run", "-d", "--name", "redis_ambassador", "--expose", "6379"),
        *("-e", f"REDIS_PORT_6379_TCP=tcp://{address}:6379", AMBASSADOR),
    )


def test_a_consumer_on_another_host_pings_through_both_ambassadors(
    far: Engine, near: Engine
) -> None:
    start_far_side(far)
    start_near_side(near, far.address)
    command = f"docker run -i -t --rm --link redis_ambassador:redis {REDIS_CLI}"
    with terminal(command.split(), near.environment) as shell:
        shell.wait_for(":6379> ")
        shell.type("ping")
        shell.wait_for("PONG")
        shell.type("exit")
