"""A route follows whichever Redis was promoted last, without an authority."""

import time

import pytest

from tests.netns import Namespace
from tests.program import Program
from tests.sentinels import SERVERS, Set, Writers, ask
from tests.wait import until

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]

A, B, C = SERVERS


@pytest.fixture
def net():
    return Namespace()


@pytest.fixture
def redis(net, tmp_path):
    found = Set(net, tmp_path, sentinels=())
    yield found
    found.close()


def following(net, folder):
    return Program(
        net=net,
        measured=False,
        REDIS_PORT_6379_TCP=",".join(f"tcp://127.0.0.1:{port}" for port in SERVERS),
        REDIS_PORT_6379_TCP_HEALTH="redis-primary",
        AMBASSADOR_STATE=str(folder / "state"),
        AMBASSADOR_PLANE="relay",
    )


def leads_to(program, port, number):
    until(lambda: len(program.said("primary")) >= number, 10)
    assert f":{port}:" in program.said("primary")[-1]


def test_the_one_that_was_promoted_last_is_followed_and_the_one_before_never_again(
    net, redis, tmp_path
):
    with following(net, tmp_path) as program:
        leads_to(program, A, 1)
        writers = Writers(net, ("127.0.0.1", 6379))
        try:
            writers.wait_for_one(0.0)
            promoted = time.monotonic()
            assert ask(net, B, "REPLICAOF", "NO", "ONE") == "OK"
            leads_to(program, B, 2)
            switched = time.monotonic()
            writers.wait_for_one(switched)
        finally:
            writers.stop()
        assert switched - promoted < 5  # a poll of 250 ms; the machine of a test may be busy
        assert (writers.readonly, writers.refused) == (0, 0)
        at_b = redis.members(B)
        assert {one for one, t in writers.acknowledged.items() if t > switched} <= at_b
        redis.processes[A].kill()
        redis.processes[A].wait()
        redis.start(A)  # empty, and drags C along
        until(lambda: redis.role(A) == "master", 10)
        ask(net, C, "REPLICAOF", "127.0.0.1", str(A))
        assert ask(net, 6379, "SCARD", "written") == len(at_b)
        assert len(program.said("primary")) == 2
    with following(net, tmp_path) as program:
        leads_to(program, B, 1)
        assert ask(net, 6379, "SCARD", "written") == len(at_b)


def test_two_that_are_promoted_at_once_are_nobody(net, redis, tmp_path):
    with following(net, tmp_path) as program:
        leads_to(program, A, 1)
        redis.processes[A].kill()
        redis.processes[A].wait()
        program.wait_for("primary_silent")
        before = len(program.said("primary_lost"))
        for port in (B, C):
            assert ask(net, port, "REPLICAOF", "NO", "ONE") == "OK"
        until(lambda: program.said("primary_lost")[before:], 10)
        # Seen together they are a tie; where the first was asked before the second was promoted,
        # the first is the heir.
        assert any(
            what in program.said("primary_lost")[-1]
            for what in ("2 were promoted from the one in use", "it was promoted from")
        )
