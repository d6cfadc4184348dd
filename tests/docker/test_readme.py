"""The README's first commands, as they stand."""

from __future__ import annotations

import os
import re
import shlex

from tests.terminal import Terminal

from .bed import resp
from .bed.engine import Engine
from .bed.images import CHECKOUT, REDIS

README = (CHECKOUT / "README.md").read_text()


def start_block() -> list[list[str]]:
    """Return the commands of the block below "Start", continued lines joined."""
    block = README.split("## Start\n\n")[1].split("\n\n")[0].replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in block.splitlines()]


def test_the_first_commands_end_in_pong(far: Engine, near: Engine) -> None:
    (other_host,) = re.findall(r"`(docker run -d --link redis:redis [^`]+)`", README)
    far.docker("run", "-d", "--name", "redis", REDIS)
    far.docker(*shlex.split(other_host)[1:])
    resp.first_pong(far, str(far.address))

    build, ambassador, consumer, _ = start_block()
    assert build == ["docker", "build", "-t", "ambassador", "."]  # what the bed has built
    near.docker(*ambassador[1:])
    resp.first_pong(near, near.container_address("redis_ambassador"))
    with Terminal(consumer, {**os.environ, **near.environment}) as shell:
        assert "PONG" in shell.read_to_end(within=20)
