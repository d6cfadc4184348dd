"""An ambassador that is killed: workers go on, and the next one takes them back as they are."""

import contextlib
import os
import signal
import socket
import subprocess
import sys

import pytest

from ambassador.admin import client
from ambassador.core.commands import Cut, Move, Sessions
from ambassador.planes.relay.channel import Channel
from ambassador.planes.relay.outlive import waiting_place
from ambassador.planes.relay.reclaim import places
from ambassador.planes.relay.worker_messages import Claim, Orphaned
from ambassador.planes.relay.worker_protocol import VERSION
from tests.conformance.scene import ends_with_reset
from tests.ports import free_port
from tests.program import Program
from tests.relay.echo import Echo
from tests.relay.peers import is_reset, port_of
from tests.scenario.upgrading import asks, children, connections, works
from tests.wait import until

IN_A_ROW = int(os.environ.get("KILLS", "3"))


class Killed:
    """Ambassadors at one admin socket, each killed before the next one starts."""

    def __init__(self, run, peers):
        self.run, self.peers = run, peers

    def first(self, *assignments, workers="2", **environ):
        return self.run.first(*assignments, AMBASSADOR_WORKERS=workers, **_lasting(environ))

    def next(self, *assignments, workers="2", **environ):
        program = self.run(*assignments, AMBASSADOR_WORKERS=workers, **_lasting(environ))
        program.wait_for("ready")
        return program

    def kill(self):
        process = self.run.programs[-1].process
        process.kill()
        process.wait(10)

    def carried(self, *clients, workers=1):
        """Return once workers have the sessions of `clients`, and accept."""
        pid = self.run.programs[-1].process.pid

        def there():
            for one in clients:
                asks(one)
            return len(children(pid)) >= workers and not connections(pid)

        until(there, 20, "workers have all sessions")

    def route(self):
        return self.run.status().routes[0]

    def ids(self):
        return {
            one.client.rpartition(":")[2]: one.id
            for one in client.ask(self.run.admin, Sessions()).sessions
        }


def _lasting(environ):
    return {"AMBASSADOR_OUTLIVE": "20s", **environ}


@pytest.fixture
def killed(run, peers):
    killed = Killed(run, peers)
    yield killed
    for program in run.programs:
        program.process.kill()
    peers.close()
    for place in places(run.admin):
        _claim(place, 0).close()


def _claim(place, version):
    """Ask the worker at `place` to work for one that speaks `version`; return our end."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with contextlib.suppress(OSError):
        sock.connect(str(place))
        Channel(sock).send(Claim(version))
    return sock


def test_sessions_go_on_clients_are_let_in_and_the_next_one_has_it_all(killed, peers, run):
    killed.first()
    kept = [peers.connect(run.port) for _ in range(3)]
    killed.carried(*kept)
    works(peers.connect(run.port))
    until(lambda: killed.route().open == 3)
    before = killed.route()
    ids = killed.ids()
    killed.kill()
    for sock in kept:
        asks(sock)
    fresh = [peers.connect(run.port) for _ in range(2)]
    for sock in fresh:
        asks(sock)
    for _ in range(3):
        works(peers.connect(run.port))
    program = killed.next()
    assert "with 5 open sessions: taken back" in program.wait_for("taken_back")
    for sock in (*kept, *fresh):
        asks(sock)
    after = killed.route()
    assert (after.open, after.opened) == (5, 9)
    assert after.to_upstream == after.to_client == before.to_upstream + 8 * (3 + 2 + 3 + 5)
    now = killed.ids()
    assert {port: now[port] for port in ids} == ids
    assert len(set(now.values())) == 5
    kept.pop().close()
    until(lambda: killed.route().open == 4)
    works(peers.connect(run.port))
    assert killed.route().opened == 10
    assert program.stop() == 0
    assert all(is_reset(sock) for sock in (*kept, *fresh))
    assert places(run.admin) == []


def test_many_kills_in_a_row_change_nothing(killed, peers, run):
    killed.first(workers="1")
    kept = [peers.connect(run.port) for _ in range(4)]
    killed.carried(*kept)
    ids, opened = killed.ids(), 4
    descriptors = []
    for _ in range(IN_A_ROW):
        killed.kill()
        for _ in range(5):
            works(peers.connect(run.port))
        killed.next(workers="1")
        for sock in kept:
            asks(sock)
        for _ in range(5):
            works(peers.connect(run.port))
        opened += 10
        until(lambda: killed.route().open == 4)
        assert killed.route().opened == opened
        assert killed.ids() == ids
        descriptors.append(run.descriptors())
        until(lambda: run.descriptors() <= descriptors[0])
    assert killed.route().endpoints[0].opened == opened


def test_what_the_first_process_carried_itself_is_lost_and_counted(killed, peers, run):
    limited = free_port()
    killed.first(run.route, f"X_PORT_{limited}_TCP=tcp://127.0.0.1:{free_port()}")
    kept = peers.connect(run.port)
    killed.carried(kept)
    waiting = peers.connect(limited)  # its endpoint does not answer
    until(lambda: run.status().routes[1].open == 1)
    killed.kill()
    assert is_reset(waiting)
    program = killed.next(run.route, f"X_PORT_{limited}_TCP=tcp://127.0.0.1:{run.echo.port}")
    assert "1 session that it carried itself ended with it" in program.wait_for("taken_back")
    (other,) = [one for one in run.status().routes if one.name == "x"]
    assert (other.open, other.opened) == (0, 1)
    works(peers.connect(limited))
    asks(kept)


def test_listeners_where_each_client_is_looked_at_wait_for_the_next_one(killed, peers, run):
    route = (run.route, f"X_PORT_{free_port()}_TCP=tcp://127.0.0.1:{run.echo.port}")
    port = int(route[1].split("_")[2])
    route += (f"X_PORT_{port}_TCP_LIMIT=100", f"D_PORT_{port}_UDP=udp://127.0.0.1:{free_port()}")
    killed.first(*route)
    kept = peers.connect(run.port)
    killed.carried(kept)
    killed.kill()
    waits = peers.connect(port)
    waits.sendall(b"question")
    killed.next(*route)
    waits.settimeout(10)
    assert waits.recv(8, socket.MSG_WAITALL) == b"question"
    asks(kept)


def test_one_that_could_not_be_connected_is_the_next_ones_to_connect(killed, peers, run):
    listening = peers.listen()
    echo, port = Echo(listening), port_of(listening)
    route = f"DB_PORT_{run.port}_TCP=tcp://127.0.0.1:{port}"
    killed.first(route)
    kept = peers.connect(run.port)
    killed.carried(kept)
    (pid,) = children(run.programs[-1].process.pid)
    killed.kill()
    echo.close()
    listening.close()
    late = peers.connect(run.port)
    late.sendall(b"question")
    until(lambda: connections(pid) == 1)  # it has been accepted, and refused
    peers.echo(port=port)
    killed.next(route)
    late.settimeout(10)
    assert late.recv(8, socket.MSG_WAITALL) == b"question"
    until(lambda: killed.route().opened == 2)


def test_nobody_comes_in_time(killed, peers, run):
    killed.first(AMBASSADOR_OUTLIVE="0.5s")
    kept = peers.connect(run.port)
    killed.carried(kept)
    (pid,) = children(run.programs[-1].process.pid)
    killed.kill()

    def refused():
        try:
            works(peers.connect(run.port))
        except ConnectionRefusedError:
            return True
        return False

    until(refused, 10)
    asks(kept)
    assert places(run.admin) == []
    killed.next(AMBASSADOR_OUTLIVE="0s")  # the port is free
    asks(kept)
    kept.close()
    until(lambda: not os.path.exists(f"/proc/{pid}"), 10)  # noqa: PTH110


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"AMBASSADOR_WORKERS": "0"}, "AMBASSADOR_WORKERS=0"),
        ({"before": ("taskset", "-c", "0")}, "a single core"),
        ({"AMBASSADOR_ADMIN": "off", "AMBASSADOR_WORKERS": "1"}, "AMBASSADOR_ADMIN=off"),
    ],
)
def test_where_nothing_outlives_a_kill_it_says_so(run, environ, why):
    with Program(
        run.route, AMBASSADOR_OUTLIVE="20s", **{"AMBASSADOR_ADMIN": str(run.admin), **environ}
    ) as program:
        assert why in program.wait_for("nothing_outlives")


def test_what_was_moved_stays_moved(killed, peers, run):
    killed.first()
    kept = peers.connect(run.port)
    killed.carried(kept)
    other = peers.echo()
    client.ask(run.admin, Move("db", (f"tcp://127.0.0.1:{other.port}",)))
    killed.kill()
    killed.next()
    accepted = other.accepted
    works(peers.connect(run.port))
    assert other.accepted == accepted + 1
    asks(kept)
    assert [one.endpoint for one in killed.route().endpoints] == [f"tcp://127.0.0.1:{other.port}"]


def test_what_an_operator_has_begun_goes_on(killed, peers, run):
    killed.first()
    kept = [peers.connect(run.port) for _ in range(4)]
    killed.carried(*kept)
    client.ask(run.admin, Cut("db", rate=1))
    killed.kill()
    killed.next()
    states = {one.state for one in client.ask(run.admin, Sessions()).sessions}
    assert states == {"leaving"}
    for sock in kept:
        assert ends_with_reset(sock)


def test_one_that_speaks_otherwise_has_listeners_let_go_and_sessions_stay(killed, peers, run):
    killed.first()
    kept = peers.connect(run.port)
    killed.carried(kept)
    killed.kill()
    (place,) = places(run.admin)
    with _claim(place, VERSION + 1) as sock:
        ((answer, _),) = list(_until_end(Channel(sock)))
    assert isinstance(answer, Orphaned)
    assert answer.version == VERSION
    program = killed.next()
    asks(kept)
    works(peers.connect(run.port))
    assert program.said("taken_back") == []
    until(lambda: killed.route().open == 0)
    kept.close()


def _until_end(channel):
    channel.sock.setblocking(True)
    channel.sock.settimeout(5)
    with contextlib.suppress(EOFError):
        yield from channel.receive()


def test_one_that_does_not_answer_keeps_what_it_has_and_lets_nobody_in(killed, peers, run):
    killed.first()
    kept = [peers.connect(run.port) for _ in range(4)]
    killed.carried(*kept)

    def two():
        kept.append(peers.connect(run.port))
        for sock in kept:
            for _ in range(50):
                asks(sock)
        pids = children(run.programs[-1].process.pid)
        return len(pids) == 2 and all(map(connections, pids))

    until(two, 20)
    works(peers.connect(run.port))
    pids = children(run.programs[-1].process.pid)
    os.kill(pids[0], signal.SIGSTOP)
    try:
        killed.kill()
        program = killed.next()
        assert "does not answer" in program.wait_for("worker_not_claimed")
        for _ in range(4):
            works(peers.connect(run.port))
    finally:
        os.kill(pids[0], signal.SIGCONT)
    opened = killed.route().opened
    for _ in range(20):
        works(peers.connect(run.port))
    assert killed.route().opened == opened + 20
    for sock in kept:
        asks(sock)
    for sock in kept:
        sock.close()
    os.kill(pids[0], signal.SIGKILL)


def test_one_that_has_too_few_descriptors_says_so_and_the_sessions_stay(killed, peers, run):
    ports = [free_port() for _ in range(60)]
    more = [f"R{n}_PORT_{port}_TCP=tcp://127.0.0.1:{run.echo.port}" for n, port in enumerate(ports)]
    killed.first(run.route, *more)
    kept = peers.connect(run.port)
    killed.carried(kept)
    killed.kill()
    program = run(run.route, *more, before=("prlimit", "--nofile=60:60"), **_lasting({}))
    assert program.exit_code() == 1
    assert "descriptors are short" in program.said("worker_not_claimed")[0]
    asks(kept)
    killed.next(run.route, *more)
    asks(kept)
    works(peers.connect(run.port))


def test_a_lone_one_that_does_not_answer_is_named_and_taken_back_once_it_does(killed, peers, run):
    killed.first()
    kept = peers.connect(run.port)
    killed.carried(kept)
    (pid,) = children(run.programs[-1].process.pid)
    os.kill(pid, signal.SIGSTOP)
    try:
        killed.kill()
        program = run(AMBASSADOR_WORKERS="2", **_lasting({}))
        assert program.exit_code() == 1
        (said,) = program.said("not_started")
        assert f"kill -CONT {pid}" in said
        assert f"kill -KILL {pid}" in said
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "1 open session" in killed.next().wait_for("taken_back")
    asks(kept)
    works(peers.connect(run.port))


@pytest.mark.root
def test_nothing_is_taken_from_another_user(killed, peers, run):
    place = waiting_place(run.admin, 1)
    script = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); "
        f"s.bind({str(place)!r}); os.chmod({str(place)!r}, 0o777); "
        "os.setuid(65534); s.listen(); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        (sys.executable, "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        program = killed.next()
        assert "belongs to user 65534" in program.wait_for("worker_not_ours")
        works(peers.connect(run.port))
        other.stdin.close()


def test_memory_that_makes_no_sense_costs_the_numbers_only(killed, peers, run):
    killed.first()
    kept = peers.connect(run.port)
    killed.carried(kept)
    (pid,) = children(run.programs[-1].process.pid)
    killed.kill()
    for one in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
        path = f"/proc/{pid}/fd/{one}"
        try:
            name = os.readlink(path)  # noqa: PTH115
        except FileNotFoundError:  # the worker has just lost its relay, and closes what led there
            continue
        if "memfd:ambassador" in name:
            size = os.stat(path).st_size  # noqa: PTH116
            if size < 1 << 16:  # the texts
                with open(path, "r+b") as file:  # noqa: PTH123
                    file.seek(8)
                    file.write(b"\xff" * (size - 8))
    program = killed.next()
    program.wait_for("earlier_not_understood")
    works(peers.connect(run.port))
    asks(kept)
