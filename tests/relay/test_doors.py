"""Clients that workers accept: led as the relay would, counted exactly, and nobody's loss but that
of the worker itself.
"""

import contextlib
import os
import signal
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import uvloop

from ambassador.core.plan import ChangeRoute
from ambassador.model import Hold, Reason
from ambassador.planes.relay.shared import COLUMNS, LOAD
from tests.ports import free_port
from tests.relay.peers import is_reset, read_exactly, reset
from tests.relay.running import RunningRelay, route
from tests.wait import until


class Relay(RunningRelay):
    """A relay whose two workers accept at a route to an echo."""

    def __init__(self, peers, *, sums=False, **options):
        self.sums = []
        super().__init__(
            uvloop.new_event_loop,
            workers=2,
            summed=lambda *told: self.sums.append(told),
            each=not sums,
        )
        self.peers = peers
        self.port, self.echo = free_port(), peers.echo()
        self.route = route(self.port, self.echo.port, **options)
        self.add(self.route)
        self.speak().close()  # is the relay's own; the next are not
        until(lambda: self.plane._doors._open)
        self.do(self.plane._doors.settle())

    def speak(self):
        """Return a client that has been answered."""
        client = self.peers.connect(self.port)
        client.sendall(b"x")
        assert read_exactly(client, 1) == b"x"
        return client

    def loads(self):
        """How many sessions each worker has, by what they share."""
        workers = self.call(lambda: self.plane.offload.workers)
        cells = self.plane._doors.shared.cells
        return sorted(cells[worker.row * COLUMNS + LOAD] for worker in workers)

    def turn_to(self, changed):
        self.apply(ChangeRoute(self.route, changed))
        self.route = changed

    def pids(self):
        workers = self.call(lambda: self.plane.offload.workers)
        return [worker.process.pid for worker in workers]


@pytest.fixture
def relay(peers):
    relay = Relay(peers)
    yield relay
    relay.close()


def test_workers_accept_an_even_share_and_all_is_counted(relay):
    clients = [relay.speak() for _ in range(20)]
    assert sum(relay.loads()) == 20
    low, high = relay.loads()
    assert high - low <= 10  # 2 where nothing else keeps the machine busy
    status = relay.status()
    assert (status.open, status.opened) == (20, 21)
    assert status.to_upstream == status.to_client == 21
    views = relay.do(relay.plane.sessions())
    assert {view.client for view in views} == {
        f"127.0.0.1:{client.getsockname()[1]}" for client in clients
    }
    assert {view.address for view in views} == {f"127.0.0.1:{relay.echo.port}"}
    assert len({view.id for view in views}) == 20
    assert relay.do(relay.plane.cut([views[0].id], Reason.CUT)) == 1
    until(lambda: relay.status().open == 19)
    for client in clients:
        client.close()
    until(lambda: relay.status().open == 0)
    status = relay.status()
    assert status.closed[Reason.CUT] == 1
    assert sum(status.closed.values()) == 21
    assert status.open_by_endpoint == {relay.route.endpoints[0].address: 0}


def test_sessions_that_are_over_in_a_moment_are_told_of_in_sums(peers):
    relay = Relay(peers, sums=True)
    try:
        for _ in range(50):
            relay.speak().close()
        until(lambda: relay.status().opened == 51 and relay.status().open == 0)
        status = relay.status()
        assert status.closed == {Reason.CLIENT: 51}
        assert status.to_upstream == status.to_client == 51
        (met,) = status.met.values()
        assert (met.opened, met.to_upstream, met.to_client) == (51, 51, 51)
        totals = [total for _, _, totals in relay.sums for total in totals]
        connects = [connect for _, connects, _ in relay.sums for connect in connects]
        assert 0 < len(totals) == len(connects) <= 50
        assert all(0 <= connect < 10 for connect in connects)
    finally:
        relay.close()


def test_a_hold_counts_for_every_client_from_then_on_and_a_release_too(relay):
    relay.turn_to(replace(relay.route, hold=Hold()))
    held = [relay.peers.connect(relay.port) for _ in range(6)]
    for client in held:
        client.sendall(b"x")
    until(lambda: relay.status().held == 6)
    assert relay.loads() == [0, 0]
    relay.turn_to(replace(relay.route, hold=None))
    for client in held:
        assert read_exactly(client, 1) == b"x"
    assert relay.status().opened == 7


def test_clients_that_are_being_connected_are_held_too(peers):
    relay = Relay(peers)
    try:
        full = peers.listen(backlog=0)
        fillers = [peers.connect(full.getsockname()[1]) for _ in range(1)]
        changed = route(relay.port, full.getsockname()[1], connect=20.0)
        relay.turn_to(changed)
        clients = [peers.connect(relay.port) for _ in range(6)]
        until(lambda: relay.status().open == 6)
        relay.turn_to(replace(changed, hold=Hold()))
        until(lambda: relay.status().held >= 5)  # one may have found room in the backlog
        assert relay.status().opened == 7
        for client in (*clients, *fillers):
            reset(client)
        until(lambda: relay.status().open == 0)
    finally:
        relay.close()


def test_one_whose_endpoint_refuses_is_brought_to_the_relay_and_led_to_another(relay):
    other, away = relay.peers.echo(), free_port()
    relay.turn_to(route(relay.port, away, other.port))
    for _ in range(6):
        relay.speak()
    assert other.accepted == 6
    assert relay.status().refused == 0
    assert relay.status().opened == 7


def test_one_for_whom_nothing_answers_waits_and_is_refused(relay):
    relay.turn_to(route(relay.port, free_port(), connect=0.3))
    assert is_reset(relay.peers.connect(relay.port))
    until(lambda: relay.status().refused == 1)
    back = relay.peers.echo()
    relay.turn_to(route(relay.port, back.port))
    relay.speak()
    assert relay.status().opened == 3


def test_sessions_go_round_by_weight_within_one_for_each_process(relay):
    one, two = relay.peers.echo(), relay.peers.echo()
    first, second = route(0, one.port, two.port).endpoints
    relay.turn_to(replace(relay.route, endpoints=(replace(first, weight=3), second)))
    for _ in range(40):
        relay.speak().close()
    assert abs(one.accepted - 30) <= 3
    assert one.accepted + two.accepted == 40


def test_the_fewest_sessions_decide_where_that_is_asked_for(relay):
    one, two = relay.peers.echo(), relay.peers.echo()
    relay.turn_to(route(relay.port, one.port, two.port, pick="least"))
    for _ in range(10):
        relay.speak()
    assert (one.accepted, two.accepted) == (5, 5)


def test_a_worker_that_is_killed_loses_its_own_and_the_books_say_so(relay):
    clients = [relay.speak() for _ in range(10)]
    lost = max(relay.loads())
    cells = relay.plane._doors.shared.cells
    workers = relay.call(lambda: relay.plane.offload.workers)
    victim = max(workers, key=lambda one: cells[one.row * COLUMNS + LOAD])
    os.kill(victim.process.pid, signal.SIGKILL)
    until(lambda: relay.status().closed.get(Reason.CUT) == lost)
    assert relay.status().open == 10 - lost
    fresh = [relay.speak() for _ in range(4)]
    ended = 0
    for client in clients:
        with contextlib.suppress(OSError):
            client.sendall(b"y")
        ended += _is_over(client)
    assert ended == lost
    assert relay.status().opened == 15
    assert len(fresh) == 4


def _is_over(client):
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_what_a_killed_worker_had_not_told_is_counted_all_the_same(relay):
    (stopped, other) = relay.pids()
    os.kill(other, signal.SIGSTOP)
    _stands_still(other)
    for _ in range(20):  # the one that is at work has them, and has said so of few
        reset(relay.speak())
    os.kill(stopped, signal.SIGKILL)
    os.kill(other, signal.SIGCONT)
    until(lambda: sum(relay.status().closed.values()) == 21)
    assert relay.status().opened == 21
    assert relay.status().open == 0


def _stands_still(pid):
    until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")


def test_where_one_or_all_stand_still_others_accept(relay):
    first, second = relay.pids()
    try:
        os.kill(first, signal.SIGSTOP)
        _stands_still(first)
        clients = [relay.speak() for _ in range(8)]
        os.kill(second, signal.SIGSTOP)
        _stands_still(second)
        began = time.monotonic()
        clients += [relay.speak() for _ in range(8)]
        assert time.monotonic() - began < 2
    finally:
        for pid in (first, second):
            os.kill(pid, signal.SIGCONT)
    for client in clients:
        client.sendall(b"y")
        assert read_exactly(client, 1) == b"y"
    until(lambda: relay.status().open == 16)


def test_a_route_that_goes_is_closed_also_where_a_worker_stands_still(relay):
    still = relay.pids()[0]
    os.kill(still, signal.SIGSTOP)
    try:
        _stands_still(still)
        relay.remove(relay.route)
        with pytest.raises(ConnectionRefusedError):
            relay.peers.connect(relay.port)
    finally:
        os.kill(still, signal.SIGCONT)


def test_when_they_have_nothing_to_do_they_end_and_the_relay_accepts(relay):
    relay.speak().close()
    until(lambda: relay.status().open == 0)
    relay.do(relay.plane.offload.dismiss())
    assert not relay.call(lambda: relay.plane.offload.workers)
    relay.speak()
    assert relay.status().opened == 3


def test_sessions_that_are_quiet_come_back_as_they_are_and_workers_end(relay):
    clients = [relay.speak() for _ in range(6)]
    ids = {view.id for view in relay.do(relay.plane.sessions())}
    relay.call(lambda: relay.plane.offload._poller.lap_in(0, lambda: None))  # none are sent again
    relay.do(relay.plane.offload.dismiss())
    assert not relay.call(lambda: relay.plane.offload.workers)
    assert {view.id for view in relay.do(relay.plane.sessions())} == ids
    assert (relay.status().open, relay.status().opened) == (6, 7)
    for client in clients:
        client.sendall(b"y")
        assert read_exactly(client, 1) == b"y"
    assert relay.status().to_client == 13
    for client in clients:
        client.close()
    until(lambda: relay.status().open == 0)


def test_unix_sockets_are_accepted_and_connected_too(relay, tmp_path):
    echo = relay.peers.echo(str(tmp_path / "echo"))
    path = str(tmp_path / "listen")
    there = route(path, str(tmp_path / "echo"), name="path")
    relay.add(there)
    connect = partial(relay.peers.connect, path)
    for _ in range(6):
        client = connect()
        client.sendall(b"x")
        assert read_exactly(client, 1) == b"x"
    assert echo.accepted == 6
    assert relay.status("path").opened == 6
    assert sum(relay.loads()) >= 5
