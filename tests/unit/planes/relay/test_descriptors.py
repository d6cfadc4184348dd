import asyncio
import errno
import re
import resource
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

from ambassador.planes.relay.descriptors import EXHAUSTED, Descriptors, raise_limit
from tests.relay.running import descriptors as open_now

RESERVE = 16


def with_free(count):
    """Return a budget in which `count` descriptors are free."""
    return Descriptors(open_now() + RESERVE + count)


def events(caplog):
    return [record.event for record in caplog.records]


@pytest.fixture
def soft_limit():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda soft: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_budget_is_the_limit_without_what_is_open_and_the_reserve(soft_limit):
    soft_limit(200)
    budget = Descriptors()
    assert budget.limit == 200
    free = 200 - open_now() - RESERVE
    assert budget.available(free - 2)
    assert not budget.available(free + 2)


def test_the_soft_limit_is_raised_to_the_hard_one(soft_limit):
    soft_limit(128)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert raise_limit() == hard
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
    assert raise_limit() == hard


def test_room_for_many_descriptors_is_made_at_once():
    script = (
        "from pathlib import Path; from ambassador.planes.relay.descriptors import make_room\n"
        "make_room(LIMIT)\n"
        "print(Path('/proc/self/status').read_text())"
    )

    def size(limit):
        """Return how many entries the kernel's table has in a process that made room."""
        program = [sys.executable, "-c", script.replace("LIMIT", str(limit))]
        said = subprocess.run(program, capture_output=True, text=True, check=True, timeout=30)
        return int(re.search(r"FDSize:\s*(\d+)", said.stdout)[1])

    assert 1000 <= size(1000) < 4096
    assert size(1 << 20) == 16384


def test_however_low_the_limit_one_session_fits():
    budget = Descriptors(3)
    assert budget.available()
    budget.take(2)
    assert not budget.available(1)


def test_what_is_taken_is_missing_until_it_is_given_back():
    budget = with_free(4)
    assert budget.available(4)
    budget.take(3)
    assert budget.available(1)
    assert not budget.available(2)
    budget.give(3)
    assert budget.available(4)


def test_who_waits_goes_on_when_enough_is_given_back():
    budget = with_free(2)
    went_on = []
    budget.take(2)
    budget.wait(lambda: went_on.append("a"))
    budget.wait(lambda: went_on.append("b"))
    budget.give(1)
    assert went_on == []
    budget.give(1)
    assert went_on == ["a", "b"]
    budget.give(2)
    assert went_on == ["a", "b"]


def test_who_must_wait_again_is_not_called_in_the_same_round():
    budget = with_free(2)
    calls = []

    def again():
        calls.append(len(calls))
        budget.take(2)
        budget.wait(again)

    budget.take(2)
    budget.wait(again)
    budget.give(2)
    assert calls == [0]
    budget.give(2)
    assert calls == [0, 1]


def test_exhaustion_is_said_once_and_its_end_once(caplog):
    caplog.set_level("INFO", "ambassador")
    budget = with_free(40)
    budget.recovered()
    budget.take(40)
    budget.wait(lambda: None)
    budget.wait(lambda: None)
    budget.give(2)
    budget.recovered()  # two are few: the next client may take them
    assert events(caplog) == ["descriptors_exhausted"]
    assert "ulimit -n" in caplog.text
    budget.give(38)
    budget.recovered()
    budget.recovered()
    assert events(caplog) == ["descriptors_exhausted", "descriptors_available"]


def test_a_limit_of_the_system_is_waited_for_with_a_pause(caplog):
    async def exhaust():
        budget = with_free(40)
        resumed = asyncio.Event()
        began = asyncio.get_running_loop().time()
        budget.wait(resumed.set, "too many open files in system")
        budget.give(0)  # others end meanwhile; that frees nothing of the system's
        assert not resumed.is_set()
        async with asyncio.timeout(5):
            await resumed.wait()
        return asyncio.get_running_loop().time() - began

    assert 0.09 < asyncio.run(exhaust()) < 2
    assert "out of file descriptors: too many open files in system" in caplog.text


def test_after_close_nobody_is_called():
    async def closed():
        budget = with_free(2)
        calls = []
        budget.wait(lambda: calls.append(1), "too many open files in system")
        budget.close()
        budget.give(2)
        return calls, [h for h in asyncio.get_running_loop()._scheduled if not h.cancelled()]

    assert asyncio.run(closed()) == ([], [])


def test_the_errors_of_exhaustion_are_those_of_accept_and_socket(soft_limit):
    soft_limit(open_now() + 8)
    with ExitStack() as opened, pytest.raises(OSError) as caught:
        while True:
            opened.enter_context(socket.socket())
    assert caught.value.errno in EXHAUSTED
    assert errno.ECONNREFUSED not in EXHAUSTED


def test_listeners_count_and_leave_room_for_one_session():
    budget = with_free(10)
    budget.listen(8)
    assert budget.available(2)
    budget.listen(2)
    assert budget.available(2)  # none is open
    budget.take(2)
    assert not budget.available(1)
    budget.listen(-6)
    assert budget.available(4)


def test_a_listener_that_closes_lets_those_go_on_that_wait():
    budget, resumed = with_free(4), []
    budget.listen(2)
    budget.take(2)
    budget.wait(lambda: resumed.append(True))
    budget.listen(-2)
    assert resumed == [True]
