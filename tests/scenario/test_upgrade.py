"""One ambassador takes over from another, and nobody is refused."""

import http.client
import os
import re
import signal
import socket
import stat
import threading

import pytest

from ambassador.admin import client
from ambassador.core.commands import Cut, Drain, Hold, Move, Release, Sessions, Undo
from ambassador.handover.protocol import beside
from tests.conformance.scene import ends_with_reset
from tests.ports import free_port
from tests.program import WITHOUT_SESSIONS, Program, is_ready
from tests.relay.peers import port_of
from tests.scenario.upgrading import asks, works
from tests.wait import until


@pytest.fixture
def stay(run):
    """Start ambassadors that take over no open sessions: they stay in the ones before."""
    run.command = WITHOUT_SESSIONS
    return run


def test_the_new_one_serves_and_the_old_one_ends_with_its_last_session(stay, peers):
    old = stay.first(AMBASSADOR_GRACE="0")
    kept = peers.connect(stay.port)
    asks(kept)
    new = stay.next()
    old.wait_for("handed_over")
    asks(kept)  # still by the old one
    assert old.process.poll() is None
    works(peers.connect(stay.port))
    assert stay.status().pid == new.process.pid
    kept.close()
    assert old.exit_code() == 0
    assert old.said("sessions_cut") == []
    works(peers.connect(stay.port))
    assert is_ready(stay.admin)
    assert new.stop() == 0
    assert not stay.admin.exists()
    assert not beside(stay.admin).exists()


def test_nobody_is_refused_or_reset_while_five_take_over_in_turn(run):
    run.first()
    stop, failures, count = threading.Event(), [], [0]

    def connect():
        while not stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", run.port), 10) as sock:
                    asks(sock)
                count[0] += 1
            except (AssertionError, OSError) as error:
                failures.append(error)

    clients = [threading.Thread(target=connect) for _ in range(8)]
    for one in clients:
        one.start()
    for _ in range(5):
        run.next()
    stop.set()
    for one in clients:
        one.join()
    assert failures == []
    assert count[0] > 100
    assert [program.exit_code() for program in run.programs[:-1]] == [0] * 5


def test_those_who_wait_in_the_backlog_are_served_by_the_new_one(run, peers):
    old = run.first()
    run.next()
    assert old.exit_code() == 0
    works(peers.connect(run.port))


def test_a_new_one_that_fails_changes_nothing(run, peers):
    old = run.first()
    taken = peers.listen()
    bad = run(
        run.route,
        "WEB_PORT_80_TCP=tcp://127.0.0.1:1",
        f"WEB_PORT_80_TCP_LISTEN=127.0.0.1:{port_of(taken)}",
        AMBASSADOR_UPGRADE="yes",
    )
    assert bad.exit_code() == 1
    assert "address already in use" in bad.said("not_started")[0]
    assert "everything goes on as it was" in old.wait_for("upgrade_failed")
    works(peers.connect(run.port))
    assert run.status().pid == old.process.pid
    run.next()
    assert old.exit_code() == 0


def test_one_that_is_killed_before_it_is_ready_changes_nothing(run, peers):
    old = run.first()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dying:
        dying.settimeout(10)
        dying.connect(str(beside(run.admin)))
        dying.send(b'{"say": "hello", "protocol": 1}')
        assert b"welcome" in dying.recv(1000)
        dying.send(b'{"say": "more"}')
        assert b"sockets" in dying.recv(1000)
        dying.send(b'{"say": "ready"}')
        assert b"yours" in dying.recv(1000)
        waiting = peers.connect(run.port)  # nobody accepts at the moment
    old.wait_for("upgrade_failed")
    works(waiting)


@pytest.mark.parametrize("said", [b"{", b"[]", b'{"say": "hello", "protocol": 99}', b'{"say": 1}'])
def test_rubbish_is_refused(run, peers, said):
    run.first()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as odd:
        odd.settimeout(10)
        odd.connect(str(beside(run.admin)))
        odd.send(said)
        assert b'"no"' in odd.recv(1000)
    works(peers.connect(run.port))


def test_with_nobody_to_take_over_from_it_starts(run, peers):
    alone = run(AMBASSADOR_UPGRADE="yes")
    alone.wait_for("route_started")
    assert "starts on its own" in alone.said("nobody_to_succeed")[0]
    works(peers.connect(run.port))


def test_without_an_admin_socket_there_is_no_upgrade(run):
    with Program(run.route, AMBASSADOR_UPGRADE="yes") as program:
        assert program.exit_code() == 2
        assert "needs an admin socket" in program.said("not_started")[0]


def test_what_was_moved_stays_moved(run, peers):
    run.first()
    other = peers.listen()
    client.ask(run.admin, Move("db", (f"tcp://127.0.0.1:{port_of(other)}",)))
    peers.accept(other)  # the move has asked whether it is there
    peers.accept(other)
    run.next()
    sock = peers.connect(run.port)
    peers.accept(other).sendall(b"here")
    assert sock.recv(4) == b"here"
    assert "moved by" in run.status().routes[0].differs


def test_what_was_changed_before_it_can_be_taken_back(run, peers):
    run.first()
    old, new = run.status().routes[0].endpoints[0].endpoint, peers.echo()
    assert client.ask(run.admin, Move("db", (f"tcp://127.0.0.1:{new.port}",)))
    run.next()
    assert client.ask(run.admin, Undo("db")).endpoints == (old,)


def test_while_a_route_is_held_nothing_is_handed_over_to_one_that_takes_no_sessions(stay, peers):
    stay.first()
    client.ask(stay.admin, Hold("db"))
    waiting = peers.connect(stay.port)
    refused = stay(AMBASSADOR_UPGRADE="yes")
    assert refused.exit_code() == 1
    assert "ambassador release db" in refused.said("not_started")[0]
    client.ask(stay.admin, Release("db"))
    works(waiting)


def test_a_route_that_only_the_old_one_had_is_refused_clearly(run, peers):
    extra = free_port()
    old = run.first(run.route, f"WEB_PORT_{extra}_TCP=tcp://127.0.0.1:{run.echo.port}")
    works(peers.connect(extra))
    new = run.next()
    assert f":{extra}; no route here does" in new.wait_for("listener_closed")
    assert old.exit_code() == 0
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", extra)) != 0


def test_a_route_that_only_the_new_one_has_is_there(run, peers):
    run.first()
    extra = free_port()
    run.next(run.route, f"WEB_PORT_{extra}_TCP=tcp://127.0.0.1:{run.echo.port}")
    works(peers.connect(extra))


def test_a_path_is_handed_over_and_goes_with_the_last(run, peers, tmp_path):
    path = tmp_path / "db.sock"
    route = (run.route, f"DB_PORT_{run.port}_TCP_LISTEN=unix://{path}")
    old = run.first(*route)
    works(peers.connect(str(path)))
    new = run.next(*route)
    assert old.exit_code() == 0
    works(peers.connect(str(path)))
    assert new.stop() == 0
    assert not path.exists()


def test_datagrams_go_on_and_late_answers_arrive(run, peers):
    endpoint = peers.datagrams()
    route = f"DNS_PORT_{run.port}_UDP=udp://127.0.0.1:{port_of(endpoint)}"
    old = run.first(route)
    one = peers.datagrams()
    one.connect(("127.0.0.1", run.port))
    one.send(b"early")
    said, flow = endpoint.recvfrom(100)
    assert said == b"early"
    run.next(route)
    old.wait_for("handed_over")
    endpoint.sendto(b"late", flow)
    assert one.recv(100) == b"late"
    one.send(b"again")
    said, flow = endpoint.recvfrom(100)
    assert said == b"again"
    endpoint.sendto(b"answer", flow)
    assert one.recv(100) == b"answer"
    assert old.exit_code() == 0


def test_a_signal_ends_the_old_one_after_its_grace(stay, peers):
    old = stay.first(AMBASSADOR_GRACE="100ms")
    asks(peers.connect(stay.port))
    stay.next()
    old.wait_for("handed_over")
    assert old.stop(signal.SIGTERM) == 0
    assert old.said("sessions_cut") == ["1 session was still open after 0.1 s and cut"]


def test_sessions_in_the_old_ones_are_counted_listed_and_cut(stay, peers):
    first = stay.first()
    one, other = peers.connect(stay.port), peers.connect(stay.port)
    asks(one)
    asks(other)
    works(peers.connect(stay.port))
    second = stay.next()
    third = peers.connect(stay.port)
    asks(third)
    stay.next()
    works(peers.connect(stay.port))
    status = stay.status()
    assert {(one.pid, one.open) for one in status.earlier} == {
        (first.process.pid, 2),
        (second.process.pid, 1),
    }
    (route,) = status.routes
    assert (route.open, route.opened, route.endpoints[0].open) == (3, 5, 3)
    assert route.to_upstream == 5 * len(b"question")
    listed = client.ask(stay.admin, Sessions("db"))
    assert listed.total == 3
    ids = {session.client.rpartition(":")[2]: session.id for session in listed.sessions}
    cut = ids[str(one.getsockname()[1])]
    assert cut.endswith(f"@{first.process.pid}")
    assert client.ask(stay.admin, Cut(session=cut)).sessions == 1
    assert ends_with_reset(one)
    asks(other)
    assert client.ask(stay.admin, Cut("db")).sessions == 2
    assert ends_with_reset(other)
    assert ends_with_reset(third)
    assert [first.exit_code(), second.exit_code()] == [0, 0]
    until(lambda: not stay.status().earlier, what="nobody is left")
    (route,) = stay.status().routes
    assert (route.open, route.opened) == (0, 5)


def test_no_counter_sinks_and_every_end_is_counted(stay, peers):
    def numbers():
        connection = http.client.HTTPConnection("127.0.0.1", metrics, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        counters = [line for line in text.splitlines() if line.startswith("ambassador_")]
        told = (line.rpartition(" ") for line in counters)
        return {name: float(value) for name, _, value in told if "_timestamp_" not in name}

    def sunk(before, now):
        gauges = (
            "_open{",
            "_info{",
            "_ready",
            "_held{",
            "_usable{",
            "_health{",
            "_admin{",
            "_workers",
        )
        return [
            name
            for name, value in before.items()
            if not any(word in name for word in gauges) and now.get(name, 0) < value
        ]

    metrics = free_port()
    stay.first(AMBASSADOR_METRICS=f"127.0.0.1:{metrics}")
    kept, before = [], {}
    for _ in range(4):
        works(peers.connect(stay.port))
        kept.append(peers.connect(stay.port))
        asks(kept[-1])
        now = numbers()
        assert sunk(before, now) == []
        before = now
        stay.next(AMBASSADOR_METRICS=f"127.0.0.1:{metrics}")
        assert sunk(before, numbers()) == []
    for sock in kept:
        sock.close()
    assert [program.exit_code() for program in stay.programs[:-1]] == [0] * 4
    until(lambda: not stay.status().earlier)
    now = numbers()
    assert sunk(before, now) == []
    name = '{reason="client",route="db"}'
    assert now[f"ambassador_sessions_closed_total{name}"] == 8
    assert now['ambassador_connect_seconds_count{route="db"}'] == 8
    assert now['ambassador_session_seconds_bucket{le="+Inf",route="db"}'] == 8


@pytest.mark.parametrize(
    ("existing", "reason"), [("keep", ""), ("cut", "moved"), ("drain=300ms", "moved")]
)
def test_sessions_of_the_old_one_follow_the_policy_of_a_move(stay, peers, existing, reason):
    old = stay.first(AMBASSADOR_ACCESS_LOG=str(stay.admin.with_name("access")))
    kept = peers.connect(stay.port)
    asks(kept)
    stay.next()
    other = peers.echo()
    there = f"tcp://127.0.0.1:{other.port}"
    client.ask(stay.admin, Move("db", (there,), existing=existing))
    (session,) = client.ask(stay.admin, Sessions()).sessions or [None]
    if reason:
        assert ends_with_reset(kept)
        assert old.exit_code() == 0
        assert f'"reason": "{reason}"' in stay.admin.with_name("access").read_text()
        return
    assert session.state == "open"
    asks(kept)
    client.ask(stay.admin, Move("db", (f"tcp://127.0.0.1:{stay.echo.port}",), existing="cut"))
    asks(kept)  # its endpoint is there again


def test_a_drain_of_the_old_ones_sessions_ends_at_its_deadline(stay, peers):
    old = stay.first()
    kept = peers.connect(stay.port)
    asks(kept)
    stay.next()
    client.ask(stay.admin, Drain("db", deadline=0.3))
    assert ends_with_reset(kept)
    assert old.exit_code() == 0


def test_one_that_is_killed_leaves_what_it_had_counted(stay, peers):
    old = stay.first()
    kept = peers.connect(stay.port)
    asks(kept)
    stay.next()
    assert stay.status().earlier[0].open == 1
    old.process.kill()
    until(lambda: not stay.status().earlier)
    (route,) = stay.status().routes
    assert (route.open, route.opened) == (0, 1)


def test_one_that_ends_late_takes_nothing_of_those_after_it_away(stay, peers):
    kept = []
    for number in range(4):
        stay.next() if number else stay.first()
        kept.append(peers.connect(stay.port))
        asks(kept[-1])
    for program, sock in zip(stay.programs, kept, strict=True):
        sock.close()
        if program is not stay.programs[-1]:
            assert program.exit_code() == 0
        assert is_ready(stay.admin)
        assert beside(stay.admin).exists()


def test_only_the_same_user_may_ask(run):
    run.first()
    assert stat.S_IMODE(os.stat(beside(run.admin)).st_mode) == 0o600  # noqa: PTH116


def test_an_earlier_process_that_is_killed_resets_its_sessions(stay, peers):
    first = stay.first()
    sock = peers.connect(stay.port)
    asks(sock)
    stay.next()
    asks(sock)
    first.process.kill()
    assert ends_with_reset(sock)


class Scraper(threading.Thread):
    """Asks again and again for `path`, of the admin socket or of a port, until it is told to stop;
    `odd` has what was no good answer.
    """

    def __init__(self, place, path):
        super().__init__(daemon=True)
        self.place, self.path = place, path
        self.good, self.odd, self.over, self.opened = 0, [], threading.Event(), 0

    def connect(self):
        if isinstance(self.place, int):
            return http.client.HTTPConnection("127.0.0.1", self.place, timeout=30)
        connection = http.client.HTTPConnection("x", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        connection.sock.connect(str(self.place))
        return connection

    def run(self):
        while not self.over.is_set():
            try:
                connection = self.connect()
                connection.request("GET", self.path)
                answer = connection.getresponse()
                self.judge(answer.status, answer.read())
                connection.close()
            except (OSError, http.client.HTTPException) as error:
                self.odd.append(repr(error))

    def judge(self, status, body):
        if status != 200:
            self.odd.append((status, body[:200]))
        elif self.path == "/metrics":
            found = re.search(rb'_sessions_opened_total\{route="db"\} (\d+)', body)
            opened = int(found[1]) if found else -1
            if opened < self.opened or b"ambassador_ready 1" not in body:
                self.odd.append(("not so", self.opened, opened))
            self.opened = opened
        self.good += 1


def test_who_asks_for_numbers_gets_them_while_five_take_over_in_turn(run, peers):
    monitor = free_port()
    environ = {"AMBASSADOR_METRICS": f"127.0.0.1:{monitor}"}
    run.first(measured=False, **environ)
    places = ((monitor, "/metrics"), (run.admin, "/metrics"), (monitor, "/readyz"))
    scrapers = [Scraper(*where) for where in (*places, (run.admin, "/v1/status"))]
    for one in scrapers:
        one.start()
    for _ in range(5):
        works(peers.connect(run.port))
        run.next(measured=False, **environ)
    until(lambda: sum(one.good for one in scrapers) > 500, 20)
    for one in scrapers:
        one.over.set()
        one.join(30)
    assert [one.odd for one in scrapers] == [[], [], [], []]
    assert all(one.good for one in scrapers)
    assert scrapers[0].opened >= 4
    assert all(program.exit_code() == 0 for program in run.programs[:-1])
