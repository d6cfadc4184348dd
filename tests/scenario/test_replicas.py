"""A route for reads leads to replicas that keep up; a probe asks another port than clients use."""

import http.server
import signal
import threading

import pytest

from tests.netns import Namespace
from tests.ports import free_port
from tests.program import Program
from tests.scenario.test_timeline import PROGRAMS, A, B, Pair
from tests.sentinels import SERVERS, Set, ask
from tests.wait import until

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]


@pytest.fixture
def net():
    return Namespace()


def said_of(program, event, port):
    return [one for one in program.said(f"endpoint_{event}") if f":{port} is" in one]


def test_reads_go_to_redis_replicas_that_hear_from_their_primary(net, tmp_path):
    redis = Set(net, tmp_path, sentinels=())
    first, second, third = SERVERS
    try:
        with Program(
            net=net,
            REDIS_PORT_6379_TCP=",".join(f"tcp://127.0.0.1:{port}" for port in SERVERS),
            REDIS_PORT_6379_TCP_HEALTH="redis-replica",
            REDIS_PORT_6379_TCP_LAG="2s",
            REDIS_PORT_6379_TCP_INTERVAL="200ms",
            REDIS_PORT_6379_TCP_FALL="1",
        ) as program:
            until(lambda: said_of(program, "healthy", second), 15)
            until(lambda: said_of(program, "healthy", third), 15)
            assert "it is no replica" in until(lambda: said_of(program, "unhealthy", first), 15)[0]
            assert {ask(net, 6379, "ROLE")[0] for _ in range(4)} == {"slave"}
            redis.processes[first].send_signal(signal.SIGSTOP)
            behind = until(lambda: said_of(program, "unhealthy", second), 30)[0]
            assert "s behind" in behind and "(lag is 2 s)" in behind
            redis.processes[first].send_signal(signal.SIGCONT)
            until(lambda: len(said_of(program, "healthy", second)) == 2, 30)
    finally:
        redis.close()


@pytest.mark.skipif(not PROGRAMS, reason="needs PostgreSQL: ./dev test")
def test_reads_go_to_a_standby_that_replays_in_time(net, tmp_path):
    pair = Pair(net, (A, B))
    try:
        with Program(
            net=net,
            DB_PORT_5432_TCP=f"tcp://127.0.0.1:{A},tcp://127.0.0.1:{B}",
            DB_PORT_5432_TCP_HEALTH="postgres-replica",
            DB_PORT_5432_TCP_USER="admin",
            DB_PORT_5432_TCP_LAG="1s",
            DB_PORT_5432_TCP_INTERVAL="200ms",
            DB_PORT_5432_TCP_FALL="1",
        ) as program:
            until(lambda: said_of(program, "healthy", B), 15)
            assert "it is no replica" in until(lambda: said_of(program, "unhealthy", A), 15)[0]
            assert pair.sql(5432, "select pg_is_in_recovery()", "127.0.0.1") == "t"
            pair.sql(B, "select pg_wal_replay_pause()")
            pair.sql(A, "create table t()")
            assert "(lag is 1 s)" in until(lambda: said_of(program, "unhealthy", B), 15)[0]
            pair.sql(B, "select pg_wal_replay_resume()")
            until(lambda: len(said_of(program, "healthy", B)) == 2, 15)
            pair.stop(A)  # what it wrote last, nobody knows
            gone = until(lambda: said_of(program, "unhealthy", B)[1:], 15)[0]
            assert "does not hear from its primary" in gone
    finally:
        pair.close()


class _Answer(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self):
        self.send_response(_Answer.status if self.path == "/replica" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_probe_on_another_port_decides(peers):
    echo, port = peers.echo(), free_port()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            name = f"A_PORT_{port}_TCP"
            with Program(
                f"{name}=tcp://127.0.0.1:{echo.port}",
                f"{name}_HEALTH=http:{server.server_port}/replica",
                f"{name}_INTERVAL=100ms",
            ) as program:
                program.wait_for("endpoint_healthy")
                _Answer.status = 503
                assert "GET /replica with 503" in program.wait_for("endpoint_unhealthy")
                assert echo.accepted == 0
        finally:
            server.shutdown()
            serving.join()
