"""Under load, all that an operator does: no error, no lost count, no double one, in both planes."""

import random
import shutil
import time

import pytest

from ambassador.admin import client
from ambassador.core.commands import Command, Hold, Move, Release, Reload, Status
from ambassador.errors import NotVerifiedError, TimedOutError
from tests.kernel.peers import listen
from tests.netns import Network
from tests.program import Program, is_ready
from tests.relay.echo import Echo
from tests.scenario.load import PORT, Benchmark, Counting, Redis
from tests.wait import until

pytestmark = [
    pytest.mark.alone,
    pytest.mark.root,
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        not shutil.which("redis-benchmark"), reason="needs redis-benchmark: ./dev test"
    ),
]


@pytest.fixture
def network():
    network = Network()
    network.ambassador.sysctl(net__netfilter__nf_conntrack_tcp_timeout_time_wait=1)
    yield network
    network.close()


@pytest.fixture
def instances(network):
    made = [Redis(network, where) for where in ("old", "new")]
    yield made
    for one in made:
        one.close()


class Operated:
    """Ambassadors at one admin socket, one after the other, and what an operator asks them."""

    def __init__(self, network: Network, plane: str, admin, endpoint: str) -> None:
        self.programs: list[Program] = []
        self.plane = plane
        self._network = network
        self._admin = admin
        self._route = (
            f"REDIS_PORT_6379_TCP=tcp://{endpoint}",
            "REDIS_PORT_6379_TCP_HEALTH=redis",
        )
        self._start().started()
        until(lambda: is_ready(admin), 10)

    def _start(self, **environ: str) -> Program:
        program = Program(
            *self._route,
            net=self._network.ambassador,
            AMBASSADOR_PLANE=self.plane,
            AMBASSADOR_ADMIN=str(self._admin),
            **environ,
        )
        self.programs.append(program)
        return program

    def ask(self, command: Command):
        return client.ask(self._admin, command)

    def route(self):
        return self.ask(Status()).routes[0]

    def upgrade(self) -> None:
        self._start(AMBASSADOR_UPGRADE="yes").wait_for("taken_over")

    def close(self) -> None:
        for program in self.programs:
            with program:
                pass


@pytest.fixture(params=["relay", "kernel"])
def operated(request, network, instances, tmp_path):
    operated = Operated(network, request.param, tmp_path / "admin.sock", instances[0].endpoint)
    yield operated
    operated.close()


@pytest.fixture
def counting(network, operated):
    counting = Counting(network, kept=2, fresh=2)
    yield counting
    counting.stop()


@pytest.fixture
def benchmarks(network, operated, tmp_path):
    benchmarks = [
        Benchmark(network, tmp_path / "kept", kept=True, clients=8),
        Benchmark(network, tmp_path / "fresh", kept=False, clients=2),
    ]
    yield benchmarks
    for one in benchmarks:
        one.stop()


def test_moves_holds_reloads_and_upgrades(
    network, instances, operated, counting, benchmarks, record_property
):
    acts = ["move"] * 50 + ["hold"] * 20 + ["reload"] * 20 + ["upgrade"] * 5
    random.Random(8).shuffle(acts)
    moves = 0
    slowest = dict.fromkeys(acts, 0.0)
    for act in acts:
        counting.progress()
        began = time.monotonic()
        match act:
            case "move":
                moves += 1
                operated.ask(Move("redis", (f"tcp://{instances[moves % 2].endpoint}",)))
            case "hold":
                operated.ask(Hold("redis"))
                until(lambda: operated.route().held, 10, "a connection is held")
                operated.ask(Release("redis"))
            case "reload":
                operated.ask(Reload())
            case "upgrade":
                operated.upgrade()
        slowest[act] = max(slowest[act], time.monotonic() - began)
    counting.progress()
    until(lambda: operated.route().plane == operated.plane, 10)
    wrong = [problem for one in benchmarks if (problem := one.stop())]
    counting.stop()
    assert counting.failures == []
    assert wrong == []
    for name, counts in counting.counts.items():
        for one in instances:
            (value,) = one.ask(f"GET {name}")
            assert int(value.replace(b"$-1", b"0") or 0) == counts[one.where]
    assert [program.exit_code() for program in operated.programs[:-1]] == [0] * 5
    for kind, stall in counting.stalls.items():
        record_property(f"longest stall, {kind}, {operated.plane}", f"{1000 * stall:.0f} ms")
    for act, seconds in slowest.items():
        record_property(f"slowest {act}, {operated.plane}", f"{1000 * seconds:.0f} ms")
    record_property(f"counts, {operated.plane}", counting.rounds)
    assert counting.stalls["fresh"] < 10  # clients that give up have more patience than that


def test_a_wrong_new_endpoint_changes_nothing(network, instances, operated, counting):
    counting.progress()
    silent = listen(network.far, PORT)  # accepts, and never answers
    odd = listen(network.host, PORT)
    echo = Echo(odd)  # answers, but not like Redis
    before = operated.route()
    for endpoint in ("10.77.0.5:7001", "10.78.0.2:7000", "10.77.0.1:7000", "10.77.0.99:7000"):
        for options in ({}, {"hold": True, "existing": "cut"}):
            with pytest.raises((NotVerifiedError, TimedOutError)):
                operated.ask(Move("redis", (f"tcp://{endpoint}",), timeout=2.0, **options))
            counting.progress()
    after = operated.route()
    assert [one.endpoint for one in after.endpoints] == [one.endpoint for one in before.endpoints]
    assert (after.plane, after.hold, after.differs) == (before.plane, None, "")
    counting.stop()
    assert counting.failures == []
    assert all(counts["new"] == 0 for counts in counting.counts.values())
    echo.close()
    odd.close()
    silent.close()
