"""What systemd gives and hears, with real descriptors and a socket in its place."""

import signal
import socket
import subprocess
import sys
import time

import pytest

from ambassador.admin import client
from ambassador.core.commands import Status
from tests.ports import free_port
from tests.program import Program, is_ready
from tests.wait import until

# Descriptors from 3 on, and the number of the process that they are for: sd_listen_fds(3).
_MOVE = """
import os, sys
numbers = [int(number) for number in sys.argv[1].split(",") if number]
far = [os.dup2(number, 100 + place) for place, number in enumerate(numbers)]
for place, number in enumerate(far):
    os.dup2(number, 3 + place, inheritable=True)
    os.close(number)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Systemd:
    """Starts programs with sockets, and hears what they tell."""

    def __init__(self, place: str, name: str) -> None:
        self.name = name
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(place)
        self._sock.settimeout(10)
        self.sockets: list[socket.socket] = []
        self.programs: list[Program] = []

    def socket(self, kind=socket.SOCK_STREAM, host="::") -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, kind)
        self.sockets.append(sock)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((host, free_port()))
        if kind == socket.SOCK_STREAM:
            sock.listen(100)
        return sock

    def start(self, *command, **options):
        numbers = [sock.fileno() for sock in self.sockets]
        return subprocess.Popen(
            (sys.executable, "-c", _MOVE, ",".join(map(str, numbers)), *command),
            pass_fds=numbers,
            **options,
        )

    def run(self, *assignments: str, **environ: str) -> Program:
        if self.sockets:
            environ = {"LISTEN_FDS": str(len(self.sockets)), **environ}
        program = Program(*assignments, net=self, NOTIFY_SOCKET=self.name, **environ)
        self.programs.append(program)
        return program

    def hears(self) -> list[str]:
        return self._sock.recv(4096).decode().split("\n")

    def keeps(self) -> tuple[list[str], list[int]]:
        data, descriptors, _, _ = socket.recv_fds(self._sock, 4096, 10)
        return data.decode().split("\n"), descriptors

    def close(self) -> None:
        for program in self.programs:
            with program:
                pass
        for sock in (self._sock, *self.sockets):
            sock.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    place = str(tmp_path / "notify")
    abstract = request.param == "abstract"
    systemd = Systemd("\0" + place if abstract else place, "@" + place if abstract else place)
    yield systemd
    systemd.close()


def asks(port: int, host: str = "127.0.0.1") -> None:
    with socket.create_connection((host, port), 10) as sock:
        sock.sendall(b"question")
        assert sock.recv(8, socket.MSG_WAITALL) == b"question"


def port_of(sock: socket.socket) -> int:
    return sock.getsockname()[1]


def test_it_says_when_it_is_ready_reloads_and_stops(systemd, peers):
    port = free_port()
    program = systemd.run(f"DB_PORT_{port}_TCP=tcp://127.0.0.1:{peers.echo().port}")
    assert systemd.hears() == ["READY=1", "STATUS=1 route: db (relay)"]
    asks(port)
    before = time.monotonic_ns() // 1000
    program.send(signal.SIGHUP)
    reloading, moment = systemd.hears()
    assert reloading == "RELOADING=1"
    assert before <= int(moment.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    assert systemd.hears()[0] == "READY=1"
    program.send(signal.SIGTERM)
    assert systemd.hears() == ["STOPPING=1", "STATUS=open sessions may end for 8 s"]
    assert program.exit_code() == 0


def test_it_says_that_it_is_alive_and_not_while_it_hangs(systemd, peers):
    program = systemd.run(f"DB_PORT_{free_port()}_TCP=tcp://127.0.0.1:1", WATCHDOG_USEC="200000")
    assert systemd.hears()[0] == "READY=1"
    began = time.monotonic()
    assert [systemd.hears() for _ in range(5)] == [["WATCHDOG=1"]] * 5
    assert 0.35 < time.monotonic() - began < 5
    program.send(signal.SIGSTOP)
    systemd._sock.settimeout(1)
    with pytest.raises(TimeoutError):
        for _ in range(10):
            systemd.hears()
    program.send(signal.SIGCONT)


def test_sockets_serve_the_routes_of_their_addresses(systemd, peers):
    tcp, udp = systemd.socket(), systemd.socket(socket.SOCK_DGRAM)
    endpoint = peers.datagrams()
    with socket.create_connection(("127.0.0.1", port_of(tcp)), 10) as early:  # before it runs
        systemd.run(
            f"DB_PORT_{port_of(tcp)}_TCP=tcp://127.0.0.1:{peers.echo().port}",
            f"DNS_PORT_{port_of(udp)}_UDP=udp://127.0.0.1:{port_of(endpoint)}",
        )
        early.settimeout(10)
        early.sendall(b"first")
        assert early.recv(5, socket.MSG_WAITALL) == b"first"
    one = peers.datagrams()
    one.sendto(b"?", ("127.0.0.1", port_of(udp)))
    assert endpoint.recv(10) == b"?"


def test_a_socket_serves_the_route_of_its_name_wherever_it_is(systemd, peers, tmp_path):
    sock = systemd.socket(host="127.0.0.1")
    admin = tmp_path / "admin.sock"
    systemd.run(
        f"DB_PORT_5432_TCP=tcp://127.0.0.1:{peers.echo().port}",
        LISTEN_FDNAMES="db",
        AMBASSADOR_ADMIN=str(admin),
    )
    asks(port_of(sock))
    until(lambda: is_ready(admin))
    (route,) = client.ask(admin, Status()).routes
    assert route.listen == f"127.0.0.1:{port_of(sock)}"


def test_a_restart_refuses_nobody(systemd, peers):
    sock = systemd.socket()
    route = f"DB_PORT_{port_of(sock)}_TCP=tcp://127.0.0.1:{peers.echo().port}"
    for _ in range(3):
        program = systemd.run(route)
        asks(port_of(sock))
        assert program.stop() == 0
    with socket.create_connection(("127.0.0.1", port_of(sock)), 10) as waiting:
        systemd.run(route)
        waiting.settimeout(10)
        waiting.sendall(b"here")
        assert waiting.recv(4, socket.MSG_WAITALL) == b"here"


def test_what_it_keeps_is_told_and_given_to_the_next_one(systemd, peers):
    port = free_port()
    route = f"DB_PORT_{port}_TCP=tcp://127.0.0.1:{peers.echo().port}"
    program = systemd.run(route, FDSTORE="10")
    (stored, name), (descriptor,) = systemd.keeps()
    assert stored == "FDSTORE=1"
    name = name.removeprefix("FDNAME=")
    assert systemd.hears()[0] == "READY=1"
    program.process.kill()
    program.process.wait(10)
    with (
        socket.socket(fileno=descriptor) as kept,
        socket.create_connection(("127.0.0.1", port), 10) as waiting,
    ):
        systemd.sockets.append(kept)
        program = systemd.run(route, FDSTORE="10", LISTEN_FDNAMES=name)
        waiting.sendall(b"here")
        assert waiting.recv(4, socket.MSG_WAITALL) == b"here"
    assert systemd.hears()[0] == "READY=1"  # nothing is told that is known
    assert program.stop() == 0
    assert systemd.hears()[0] == "FDSTOREREMOVE=1"


def test_a_socket_without_a_route_is_named(systemd):
    sock = systemd.socket(host="127.0.0.1")
    program = systemd.run(f"DB_PORT_{free_port()}_TCP=tcp://127.0.0.1:1")
    said = program.wait_for("listener_unused")
    assert f"systemd listens on tcp://127.0.0.1:{port_of(sock)}" in said


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"LISTEN_FDS": "x"}, "LISTEN_FDS: is wrong"),
        ({"LISTEN_FDNAMES": "a:b"}, "LISTEN_FDNAMES: is wrong"),
        ({"LISTEN_FDS": "2"}, "descriptor 4 is not a socket"),
        ({"WATCHDOG_USEC": "often"}, "WATCHDOG_USEC: is wrong"),
    ],
)
def test_what_makes_no_sense_is_said(systemd, variables, problem):
    systemd.socket()
    program = systemd.run(f"DB_PORT_{free_port()}_TCP=tcp://127.0.0.1:1", **variables)
    assert program.exit_code() == 2
    assert problem in program.said("not_started")[0]


def test_sockets_of_another_process_are_not_ours(peers):
    port = free_port()
    route = f"DB_PORT_{port}_TCP=tcp://127.0.0.1:{peers.echo().port}"
    with Program(route, LISTEN_FDS="1", LISTEN_PID="1") as program:
        program.started()
        asks(port)


def test_where_nobody_hears_it_goes_on(peers, tmp_path):
    port = free_port()
    route = f"DB_PORT_{port}_TCP=tcp://127.0.0.1:{peers.echo().port}"
    with Program(route, NOTIFY_SOCKET=str(tmp_path / "nobody")) as program:
        assert "systemd was not told READY=1" in program.wait_for("not_notified")
        asks(port)
