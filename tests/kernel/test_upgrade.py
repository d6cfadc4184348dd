"""One ambassador takes over from another whose rules are in the kernel."""

import socket
import threading

import pytest

from ambassador.admin import client
from ambassador.core.commands import Status
from tests.kernel.peers import listen
from tests.netns import Network
from tests.program import Program, is_ready
from tests.relay.echo import Echo
from tests.wait import until

pytestmark = pytest.mark.root

ROUTE = "REDIS_PORT_6379_TCP=tcp://10.77.0.4:7000"
# A route at an address of some other host: who has it may not listen.
FOREIGN = ("WEB_PORT_80_TCP=tcp://10.77.0.4:7000", "WEB_PORT_80_TCP_LISTEN=9.9.9.9:80")
PLACE = ("10.77.0.2", 6379)


@pytest.fixture
def network():
    network = Network()
    yield network
    network.close()


@pytest.fixture
def run(network, tmp_path):
    """Start ambassadors at one admin socket, in front of an endpoint on another host."""
    programs = []
    admin = tmp_path / "admin.sock"

    class Run:
        def __call__(self, *assignments: str, **environ: str) -> Program:
            environ = {"AMBASSADOR_PLANE": "kernel", **environ}
            program = Program(
                *(assignments or (ROUTE,)),
                net=network.ambassador,
                AMBASSADOR_ADMIN=str(admin),
                **environ,
            )
            programs.append(program)
            return program

        def first(self, *assignments: str, **environ: str) -> Program:
            program = self(*assignments, **environ).started()
            until(lambda: is_ready(admin), what="it is ready")
            return program

        def next(self, *assignments: str, **environ: str) -> Program:
            program = self(*assignments, AMBASSADOR_UPGRADE="yes", **environ)
            program.wait_for("taken_over")
            return program

        def connect(self) -> socket.socket:
            return network.client.call(socket.create_connection, PLACE, 10)

        def status(self):
            return client.ask(admin, Status())

        def rules(self) -> str:
            return network.ambassador.run("nft", "list", "table", "inet", "ambassador")

    listening = listen(network.old, 7000)
    echo = Echo(listening)
    yield Run()
    for program in programs:
        with program:
            pass
    echo.close()
    listening.close()


def asks(sock: socket.socket) -> None:
    sock.sendall(b"question")
    assert sock.recv(8, socket.MSG_WAITALL) == b"question"


def test_the_table_is_adopted_and_flows_go_on(run):
    old = run.first()
    with run.connect() as kept:
        asks(kept)
        new = run.next()
        assert old.exit_code() == 0  # what the kernel carries is no longer its own
        asks(kept)
        with run.connect() as other:
            asks(other)
        (route,) = run.status().routes
        assert route.plane == "kernel"
        assert new.said("route_started")[0].endswith(
            "plane kernel (127.0.0.1 and IPv6 through the relay)"
        )
        asks(kept)
    assert new.stop() == 0
    with pytest.raises(AssertionError, match="No such file"):
        run.rules()


def test_new_connections_and_open_ones_live_through_five(run):
    run.first()
    stop, failures, count = threading.Event(), [], [0]

    def work(fresh):
        sock = run.connect()
        while not stop.is_set():
            try:
                if fresh:
                    sock.close()
                    sock = run.connect()
                asks(sock)
                count[0] += 1
            except (AssertionError, OSError) as error:
                failures.append(error)
                return
        sock.close()

    clients = [threading.Thread(target=work, args=(number % 2,)) for number in range(4)]
    for one in clients:
        one.start()
    for _ in range(5):
        run.next()
    stop.set()
    for one in clients:
        one.join()
    assert failures == []
    assert count[0] > 100


def counts(run):
    (route,) = run.status().routes
    return route.opened, route.to_upstream, route.to_client


def test_a_new_one_that_fails_leaves_rules_that_work(run):
    old = run.first()
    with run.connect() as kept:
        asks(kept)
        before = counts(run)
        # It adopts the table before it finds out that it may not listen.
        bad = run(ROUTE, *FOREIGN, AMBASSADOR_UPGRADE="yes")
        assert bad.exit_code() == 1
        old.wait_for("upgrade_failed")
        assert counts(run) == before
        asks(kept)
        with run.connect() as other:
            asks(other)
        assert counts(run)[0] == before[0] + 1
        assert all(now > then for now, then in zip(counts(run), before, strict=True))
        status = run.status()
        assert (status.pid, status.routes[0].plane) == (old.process.pid, "kernel")


def test_what_is_carried_while_a_new_one_fails_is_counted(run, network):
    old = run.first()
    with run.connect() as kept, listen(network.ambassador, 80):
        before = counts(run)
        # It adopts the table before it finds out that its port is taken.
        bad = run(ROUTE, "WEB_PORT_80_TCP=tcp://10.77.0.4:7000", AMBASSADOR_UPGRADE="yes")
        rounds = 0
        while bad.process.poll() is None:
            asks(kept)
            rounds += 1
        assert bad.exit_code() == 1
        old.wait_for("upgrade_failed")
        opened, up, down = counts(run)
        assert opened == before[0] == 1
        least = rounds * (20 + 32 + 8)  # headers of IPv4 and TCP, and what is asked
        assert up >= before[1] + least
        assert down >= before[2] + least


def test_one_that_dies_when_it_has_adopted_the_table_leaves_rules_that_work(run, network):
    """Who runs puts back what another program takes away; here while a successor has the table."""
    old = run.first()
    before = run.rules()
    bad = run(*FOREIGN, AMBASSADOR_UPGRADE="yes")
    for name in ("any4", "at4", "to4"):
        network.ambassador.run("nft", "flush", "map", "inet", "ambassador", name)
    assert bad.exit_code() == 1
    old.wait_for("upgrade_failed")
    until(lambda: run.rules() == before, what="the rules are as they were")
    with run.connect() as sock:
        asks(sock)
    assert run.status().routes[0].opened == 1  # in the kernel
    run.next()
    assert old.exit_code() == 0


def test_counters_go_on_whether_it_succeeds_or_not(run):
    old = run.first()
    with run.connect() as kept:
        for _ in range(3):
            with run.connect() as sock:
                asks(sock)
        asks(kept)
        (before,) = run.status().routes
        assert before.opened == 4
        bad = run(ROUTE, *FOREIGN, AMBASSADOR_UPGRADE="yes")
        assert bad.exit_code() == 1
        old.wait_for("upgrade_failed")
        for plane in ("", "kernel", "relay", "kernel"):
            if plane:
                run.next(AMBASSADOR_PLANE=plane)
            asks(kept)
            (after,) = run.status().routes
            assert after.opened == 4
            # in the kernel while no rules are there, nobody counts
            assert after.to_upstream >= before.to_upstream
            assert after.to_client >= before.to_client
            before = after
        with run.connect() as sock:
            asks(sock)
        assert run.status().routes[0].opened == 5


def test_from_the_kernel_to_the_relay_and_back(run):
    run.first()
    with run.connect() as kept:
        asks(kept)
        run.next(AMBASSADOR_PLANE="relay")
        asks(kept)
        with run.connect() as other:
            asks(other)
            assert run.status().routes[0].plane == "relay"
            run.next()
            asks(other)
            asks(kept)
            assert run.status().routes[0].plane == "kernel"
