"""Endpoints that fail their probes leave their route, in the program, and come back."""

import http.server
import subprocess
import threading

import pytest

from ambassador.admin import client
from tests.ports import free_port
from tests.program import COMMAND, Program
from tests.relay.peers import port_of, read_exactly
from tests.wait import until


@pytest.fixture
def start():
    programs = []

    def starting(*arguments, **environ):
        programs.append(Program(*arguments, **environ))
        return programs[-1].started()

    yield starting
    for program in programs:
        with program:
            pass


def ask(client):
    client.sendall(b"question")
    assert read_exactly(client, 8) == b"question"


def test_an_unhealthy_endpoint_gets_no_sessions_and_loses_its_own_by_existing(start, peers):
    first, second, port = peers.listen(), peers.echo(), free_port()
    name, at = f"A_PORT_{port}_TCP", f"127.0.0.1:{port_of(first)}"
    program = start(
        f"{name}=tcp://{at},tcp://127.0.0.1:{second.port}?backup",
        f"{name}_HEALTH=tcp",
        f"{name}_INTERVAL=100ms",
        f"{name}_EXISTING=cut",
    )
    until(lambda: len(program.said("endpoint_healthy")) == 2, 10)
    with peers.connect(port) as client:
        client.sendall(b"question")
        while peers.accept(first).recv(8) != b"question":
            pass  # a probe: it says nothing and goes
        first.close()
        said = program.wait_for("endpoint_unhealthy")
        assert f"{at} is unhealthy: connection refused" in said
        with pytest.raises(ConnectionResetError):
            read_exactly(client, 1)
    with peers.connect(port) as client:
        ask(client)
    # Nobody had to wait for a connection that failed: it was not tried.
    assert program.said("endpoint_unreachable") == []


def test_a_redis_probe_knows_what_is_no_redis(start, peers):
    echo, port = peers.echo(), free_port()
    name = f"A_PORT_{port}_TCP"
    program = start(
        f"{name}=tcp://127.0.0.1:{echo.port}", f"{name}_HEALTH=redis", f"{name}_INTERVAL=100ms"
    )
    assert "answers PING with '*1'" in program.wait_for("endpoint_unhealthy")


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def page():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        server.status = 503
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server
        server.shutdown()
        serving.join()


def test_where_every_probe_fails_clients_get_through_with_panic_and_it_is_said(start, peers, page):
    echo, port = peers.echo(), free_port()
    name = f"A_PORT_{port}_TCP"
    program = start(
        f"{name}=tcp://127.0.0.1:{echo.port},tcp://127.0.0.2:{echo.port}",
        f"{name}_HEALTH=http:{page.server_port}/ready",
        f"{name}_INTERVAL=100ms",
        f"{name}_EXISTING=cut",
        f"{name}_PANIC=yes",
    )
    until(lambda: len(program.said("endpoint_unhealthy")) == 2, 15)
    assert "get clients all the same" in program.wait_for("panic")
    with peers.connect(port) as client:
        ask(client)
        page.status = 200
        program.wait_for("panic_over")
        ask(client)


def test_with_wait_healthy_it_is_ready_once_each_route_has_an_endpoint_that_works(
    start, peers, page, tmp_path
):
    echo, port, admin = peers.echo(), free_port(), tmp_path / "admin"
    name = f"A_PORT_{port}_TCP"
    program = start(
        f"{name}=tcp://127.0.0.1:{echo.port}",
        f"{name}_HEALTH=http:{page.server_port}/ready",
        f"{name}_INTERVAL=100ms",
        "--wait-healthy",
        AMBASSADOR_ADMIN=str(admin),
    )
    program.wait_for("endpoint_unhealthy")
    assert not program.said("ready")
    until(lambda: "no endpoint works" in client.ready(admin, 5)[1], 10)
    page.status = 200
    program.wait_for("ready")
    assert client.ready(admin, 5) == client.ready(admin, 5, endpoints=True) == (True, "ready")
    page.status = 503
    until(lambda: not client.ready(admin, 5, endpoints=True)[0], 10)
    assert client.ready(admin, 5, endpoints=True) == (False, "a: no endpoint works")
    assert client.ready(admin, 5) == (True, "ready")  # what it was before
    words = [*COMMAND, "healthcheck", "--endpoints", "--admin", str(admin)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (1, "a: no endpoint works\n")
