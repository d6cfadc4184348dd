"""An operator's work does not hold up the traffic: how long 1,000 questions a second wait."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time

import pytest

from ambassador.admin import client
from ambassador.core.commands import Add, Hold, Move, Release, Reload, Remove, Sessions, Status
from tests.ports import free_port
from tests.program import Program, is_ready
from tests.wait import until

ROUTES = 300
# Seconds. A millisecond or two on an idle machine, where a worker carries it; the machine has other
# things to do, too, so the best of a few attempts counts.
LONGEST = 0.025
ATTEMPTS = 5


class Ticking:
    """Starts tests.scenario.ticking."""

    def __init__(self, echo_port: int, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.scenario.ticking", str(echo_port), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def longest(self) -> float:
        """Return the longest wait since the last time it was asked for, in seconds."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.fixture(params=["0", "2"], ids=["alone", "workers"])
def workers(request):
    return request.param


@pytest.fixture
def program(tmp_path, workers):
    """An ambassador with many routes that logs all there is to log; its port and that behind."""
    ports = [free_port() for _ in range(2)]
    others = [
        f"R{number}_PORT_{free_port()}_TCP=tcp://127.0.0.1:{ports[1]}" for number in range(ROUTES)
    ]
    admin = tmp_path / "admin.sock"
    with Program(
        f"ECHO_PORT_{ports[0]}_TCP=tcp://127.0.0.1:{ports[1]}",
        *others,
        AMBASSADOR_PLANE="relay",
        AMBASSADOR_LEVEL="debug",
        AMBASSADOR_WORKERS=workers,
        AMBASSADOR_ADMIN=str(admin),
    ) as program:
        until(lambda: is_ready(admin), 10)
        program.ports, program.admin = ports, admin
        yield program


@pytest.mark.timeout(120)
def test_the_longest_wait_while_an_operator_works(program, workers, record_property):
    front, behind = program.ports
    ticking = Ticking(behind, front)
    spare = f"SPARE_PORT_{free_port()}_TCP=tcp://127.0.0.1:{behind}"

    def works():
        """All that an operator does, for a second."""
        acts = itertools.cycle(
            (
                Status(), Add((spare,)), Sessions(), Hold("spare"), Release("spare"), Status(),
                Move("r7", (f"tcp://127.0.0.1:{front}",), verify=False), Reload(),
                Move("r7", (f"tcp://127.0.0.1:{behind}",), verify=False), Remove("spare"),
            )
        )  # fmt: skip
        until_then = time.monotonic() + 1
        done = 0
        while time.monotonic() < until_then or done % 10:
            client.ask(program.admin, next(acts))
            done += 1
        assert done >= 10
        return ticking.longest()

    until(lambda: ticking.longest() > 0, 10)  # it is on its way
    if workers != "0":
        until(lambda: _children(program.process.pid), 10)
    works()
    found = []
    while not found or (found[-1] > LONGEST and len(found) < ATTEMPTS):
        found.append(works())
    ticking.close()
    record_property(f"longest wait while an operator works, {workers} workers", min(found))
    assert min(found) <= LONGEST


def _children(pid: int) -> str:
    command = ["pgrep", "-f", "-P", str(pid), "relay.worker_main"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
