"""The stop order of app/application.py, line by line, each with its limit."""

import signal
import socket
import time

import pytest

from ambassador.admin import client
from ambassador.core.commands import Hold, Status
from tests.ports import free_port
from tests.program import Program, is_ready
from tests.relay.peers import is_reset, port_of
from tests.wait import until

# What is to happen at once may be held up by other work of the machine; the grace is far longer.
AT_ONCE = 3.0


@pytest.fixture(params=["uvloop", "asyncio"])
def run(request, peers, tmp_path):
    """Start an ambassador in front of a listening socket."""
    programs = []

    class Run:
        port = free_port()
        admin = tmp_path / "admin.sock"
        endpoint = peers.listen()

        def __init__(self, grace: str = "20s") -> None:
            self.program = Program(
                f"DB_PORT_{self.port}_TCP=tcp://127.0.0.1:{port_of(self.endpoint)}",
                AMBASSADOR_ADMIN=str(self.admin),
                AMBASSADOR_GRACE=grace,
                AMBASSADOR_LOOP=request.param,
            )
            programs.append(self.program)
            self.program.started()

        def session(self) -> tuple[socket.socket, socket.socket]:
            client = peers.connect(self.port)
            return client, peers.accept(self.endpoint)

    yield Run
    for program in programs:
        with program:
            pass


def exchange(one: socket.socket, other: socket.socket) -> None:
    one.sendall(b"question")
    assert other.recv(100) == b"question"
    other.sendall(b"answer")
    assert one.recv(100) == b"answer"


def test_1_readiness_is_taken_back_at_once(run):
    it = run()
    it.session()
    until(lambda: is_ready(it.admin), what="it is ready")
    it.program.send(signal.SIGTERM)
    until(lambda: client.ready(it.admin, 5) == (False, "stopping"), AT_ONCE)


def test_2_clients_in_the_backlog_are_accepted_then_the_listener_closes(run, peers):
    it = run()
    it.program.send(signal.SIGSTOP)
    clients = [peers.connect(it.port) for _ in range(20)]  # by the kernel, for the time being
    it.program.send(signal.SIGTERM)
    it.program.send(signal.SIGCONT)
    it.program.wait_for("signal")
    pairs = {}
    for _ in clients:
        upstream = peers.accept(it.endpoint)
        upstream.sendall(b"hello")
        pairs[upstream] = None
    assert [client.recv(5) for client in clients] == [b"hello"] * 20

    def refused() -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", it.port)) != 0

    until(refused, AT_ONCE)
    assert it.program.process.poll() is None


def test_2_those_who_are_held_are_told_at_once(run, peers):
    it = run()
    until(lambda: is_ready(it.admin), what="it is ready")
    one, other = it.session()
    client.ask(it.admin, Hold("db", timeout=60))
    held = [peers.connect(it.port) for _ in range(3)]
    until(lambda: client.ask(it.admin, Status()).routes[0].held == 3)
    it.program.send(signal.SIGSTOP)
    late = peers.connect(it.port)
    it.program.send(signal.SIGTERM)
    it.program.send(signal.SIGCONT)
    began = time.monotonic()
    assert all(is_reset(sock) for sock in (*held, late))
    assert time.monotonic() - began < AT_ONCE
    exchange(one, other)  # who has an upstream has the grace
    it.program.wait_for("held_dismissed")
    one.close()
    other.close()
    assert it.program.exit_code() == 0
    assert it.program.said("sessions_cut") == []


def test_3_open_sessions_may_end_and_then_it_is_over(run):
    it = run()
    one, other = it.session()
    it.program.send(signal.SIGTERM)
    it.program.wait_for("signal")
    exchange(one, other)
    one.shutdown(socket.SHUT_WR)
    assert other.recv(100) == b""
    other.sendall(b"last words")
    other.close()
    assert one.recv(100) == b"last words"
    assert one.recv(100) == b""
    began = time.monotonic()
    assert it.program.exit_code() == 0
    assert time.monotonic() - began < AT_ONCE
    assert it.program.said("sessions_cut") == []


def test_3_the_grace_is_as_long_as_it_was_set(run):
    it = run(grace="300ms")
    one, other = it.session()
    began = time.monotonic()
    assert it.program.stop() == 0
    assert 0.3 < time.monotonic() - began < 0.3 + AT_ONCE
    assert it.program.said("sessions_cut") == ["1 session was still open after 0.3 s and cut"]
    assert is_reset(one)
    assert is_reset(other)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_3_a_second_signal_ends_the_grace(run, second):
    it = run()
    one, other = it.session()
    it.program.send(signal.SIGTERM)
    it.program.wait_for("signal")
    exchange(one, other)
    began = time.monotonic()
    assert it.program.stop(second) == 0
    assert time.monotonic() - began < AT_ONCE
    assert it.program.said("sessions_cut") == ["open sessions are cut without further grace"]


def test_4_what_is_left_is_cut_and_both_sides_see_a_reset(run, peers):
    it = run(grace="0")
    pairs = [it.session() for _ in range(5)]
    half_closed, upstream = pairs.pop()
    half_closed.shutdown(socket.SHUT_WR)
    assert upstream.recv(100) == b""
    assert it.program.stop() == 0
    assert all(is_reset(one) and is_reset(other) for one, other in pairs)
    assert is_reset(half_closed)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        upstream.sendall(b"too late")
    assert it.program.said("sessions_cut") == ["5 sessions were still open after 0 s and cut"]


def test_5_the_admin_socket_goes_though_somebody_holds_it(run):
    it = run()
    until(lambda: is_ready(it.admin), what="it is ready")
    with socket.socket(socket.AF_UNIX) as held:
        held.connect(str(it.admin))
        began = time.monotonic()
        assert it.program.stop() == 0
        assert time.monotonic() - began < AT_ONCE
    assert not it.admin.exists()


@pytest.mark.root
def test_5_names_are_asked_for_no_longer(start, start_dns, net):
    dns = start_dns()
    dns.freeze()
    program = start("DB_PORT_5432_TCP=tcp://db:5432").started()
    until(lambda: questions_waiting(net), what="the name is asked for")
    began = time.monotonic()
    assert program.stop() == 0
    assert time.monotonic() - began < AT_ONCE
    assert program.rest == []  # no word of what was under way


def questions_waiting(net) -> bool:
    """Tell whether datagrams wait on port 53 (0x35), by the table of proc(5)."""
    with net.call(open, "/proc/thread-self/net/udp") as table:
        lines = [line.split() for line in table]
    return any(w[1].endswith(":0035") and not w[4].endswith(":00000000") for w in lines)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_6_the_exit_code_is_0(run, number):
    it = run()
    began = time.monotonic()
    assert it.program.stop(number) == 0
    assert time.monotonic() - began < AT_ONCE
    assert it.program.said("signal") == [f"{number.name}: stopping"]
    assert it.program.events[-1]["event"] == "stopped"
    assert it.program.rest == []
