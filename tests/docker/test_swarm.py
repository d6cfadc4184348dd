"""The Swarm recipe of docs/deploy.md: what it says to type is typed, at a manager.

The kernel of a test machine may lack IPVS, which a virtual address of a service needs; the stack
asks for none (`endpoint_mode: dnsrr`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ports import free_port
from tests.recipes import lines

from .bed import resp
from .bed.command import run, until
from .bed.engine import Engine
from .bed.images import AMBASSADOR, CHECKOUT, REDIS

FOLDER = CHECKOUT / "deploy" / "swarm"
MOVED_TO = "192.168.1.99"  # as the page has it


@pytest.fixture
def manager(near: Engine) -> Iterator[Engine]:
    """A swarm of one node."""
    near.docker("swarm", "init", "--advertise-addr", str(near.address))
    yield near
    near.docker("swarm", "leave", "--force")
    until(
        lambda: not near.docker("ps", "-qf", "label=com.docker.swarm.task.id"), "no task", within=30
    )


@pytest.fixture
def both(far: Engine) -> Iterator[Engine]:
    """Two Redis on the other host, each at an address of its own."""
    run(far.inside("ip", "address", "add", f"{MOVED_TO}/24", "dev", "eth0"))
    for name, address in (("old", far.address), ("new", MOVED_TO)):
        far.docker("run", "-d", "--name", name, "-p", f"{address}:6379:6379", REDIS)
        resp.first_pong(far, far.container_address(name))
    yield far
    run(far.inside("ip", "address", "del", f"{MOVED_TO}/24", "dev", "eth0"))


def typed(manager: Engine, line: str) -> str:
    return run(["sh", "-c", line], env=manager.environment, within=90, cwd=FOLDER).stdout


def calls(far: Engine, name: str) -> int:
    """Return how many commands a Redis has had from a consumer."""
    stats = far.docker("exec", name, "redis-cli", "info", "commandstats")
    pings = [line for line in stats.splitlines() if line.startswith("cmdstat_ping:calls=")]
    return int(pings[0].partition("=")[2].partition(",")[0]) if pings else 0


def test_each_line_of_the_recipe_does_what_the_page_says(manager: Engine, both: Engine) -> None:
    deploy, logs, update, move = lines("Swarm")
    typed(manager, deploy)
    until(lambda: "PONG" in typed(manager, logs), "the consumer's first PONG", within=60)

    typed(manager, update)  # returns once the new task is healthy and the old one has ended
    until(lambda: len(manager.docker("ps", "-qf", "name=shop_redis").split()) == 1, "one task")
    here = calls(both, "new")
    until(lambda: calls(both, "new") > here, "the consumer is led to the new one")

    typed(manager, move.replace(MOVED_TO, str(both.address)))
    here = calls(both, "old")
    until(lambda: calls(both, "old") > here, "and back, by a move in the task that runs")
    said = typed(manager, logs)
    assert "refused" not in said, said
    assert "reset" not in said, said

    # A wrong variable ends with 2; it is tried three times more, and told.
    typed(manager, deploy.replace("192.168.1.52", "a/b").replace("shop", "wrong"))

    def failed() -> list[str]:
        every = manager.docker("service", "ps", "wrong_redis", "--format", "{{.CurrentState}}")
        return [one for one in every.splitlines() if "Failed" in one]

    until(lambda: len(failed()) == 4, "the first and three more", within=60)
    told = manager.client("service", "logs", "--raw", "wrong_redis", within=30).stderr
    assert "error: environment variable REDIS_PORT_6379_TCP" in told


@pytest.fixture
def pair(manager: Engine, far: Engine) -> Iterator[tuple[Engine, Engine]]:
    """A swarm of two nodes, the manager and one that it rules, with a network over both."""
    token = manager.docker("swarm", "join-token", "--quiet", "worker")
    far.docker(
        *("swarm", "join", "--token", token, "--advertise-addr", str(far.address)),
        f"{manager.address}:2377",
    )
    manager.docker("network", "create", "--driver", "overlay", "--attachable", "both")
    yield manager, far
    manager.docker("service", "rm", "db", ok=None)
    until(lambda: not far.docker("ps", "-q"), "its tasks are gone", within=30)
    far.docker("swarm", "leave", "--force")


def test_tasks_of_a_service_are_reached_on_every_node_and_left_before_they_end(
    pair: tuple[Engine, Engine],
) -> None:
    manager, far = pair
    manager.docker(
        *("service", "create", "--detach", "--name", "db", "--network", "both"),
        *("--replicas", "2", "--replicas-max-per-node", "1", "--endpoint-mode", "dnsrr"),
        *("--no-resolve-image", REDIS),
    )
    for node, name in ((manager, "near"), (far, "far")):
        task = until(lambda: node.docker("ps", "-qf", "name=db."), "a task", within=60)  # noqa: B023
        until(
            lambda: node.client("exec", task, "redis-cli", "SET", "who", name, ok=None).stdout,  # noqa: B023
            "its Redis answers",
        )
    port = free_port()
    manager.docker(
        *("run", "-d", "--name", "ambassador", "--network", "both", "-p", f"{port}:6379"),
        *("-e", "DB_PORT_6379_TCP=tcp://tasks.db:6379", AMBASSADOR),
    )
    address = str(manager.address)
    resp.first_pong(manager, address, port)

    def asked(times: int) -> list[str]:
        return [resp.ask(manager, "GET who", address, port) for _ in range(times)]

    until(lambda: set(asked(6)) == {"near", "far"}, "each has its share")
    worker = manager.docker("node", "ls", "--quiet", "--filter", "role=worker")
    manager.docker("node", "update", "--availability", "drain", worker)
    every: list[str] = []

    def gone() -> bool:
        every.extend(asked(3))
        return not far.docker("ps", "-qf", "name=db.") and set(every[-3:]) == {"near"}

    until(gone, "the other node has none", within=60)
    assert not set(every) - {"near", "far"}, every
