"""The reconciler over a real relay, by what clients see and the log says."""

import socket

import pytest

from ambassador.control.reconciler import Phase, Reconciler, read
from ambassador.errors import ConfigError, PlaneError, Problem, SourceError
from ambassador.model import Endpoint, Inet, Route
from ambassador.planes.relay.plane import RelayPlane
from tests.loops import LoopThread
from tests.names import StaticResolver
from tests.ports import free_port
from tests.relay.peers import Peers, port_of
from tests.wishes import Wish

WRONG = [SourceError("gone"), ConfigError(Problem("X", "is wrong"))]


def route(name: str, port: int, endpoint: int) -> Route:
    return Route(
        name,
        Inet("127.0.0.1", port),
        (Endpoint(Inet("127.0.0.1", endpoint)),),
        alias=name,
        port=port,
        origin=f"variable {name}",
    )


class Reconciling:
    """A reconciler on a loop of its own, and clients that are told apart by their endpoint."""

    def __init__(self, peers: Peers) -> None:
        self.peers = peers
        self.looping = LoopThread()
        self.endpoints = {name: peers.listen() for name in "AB"}

    def port(self, name: str) -> int:
        return port_of(self.endpoints[name])

    def make(self, *sources: Wish) -> Reconciler:
        self.plane = self.looping.call(RelayPlane, StaticResolver(), buffer=65536, backlog=16)
        return self.looping.call(Reconciler, sources, self.plane)

    def session(self, port: int, name: str) -> tuple[socket.socket, socket.socket]:
        """Connect to `port`; return the client and, accepted by endpoint `name`, its upstream."""
        client = self.peers.connect(port)
        return client, self.peers.accept(self.endpoints[name])

    def close(self) -> None:
        self.looping.call(self.plane.close)
        self.looping.close()


@pytest.fixture
def run(peers, caplog):
    caplog.set_level("INFO", "ambassador")
    run = Reconciling(peers)
    yield run
    run.close()


def takes_clients(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def events(caplog, name):
    return [record.getMessage() for record in caplog.records if record.event == name]


def test_start_installs_every_route_and_is_ready(run, caplog):
    port = free_port()
    it = run.make(Wish(route("redis", port, run.port("A")), notes=("a remark",)))
    assert it.phase is Phase.STARTING
    run.looping.do(it.start())
    assert it.phase is Phase.READY
    assert [status.route.name for status in run.looping.call(it.status)] == ["redis"]
    run.session(port, "A")
    assert events(caplog, "route_started") == [
        f"redis  127.0.0.1:{port} -> 127.0.0.1:{run.port('A')}  plane relay"
    ]
    assert events(caplog, "note") == ["a remark"]


@pytest.mark.parametrize("error", WRONG)
def test_a_start_that_fails_installs_nothing(run, error):
    wish = Wish(route("redis", free_port(), 1))
    wish.error = error
    it = run.make(wish)
    with pytest.raises(type(error)):
        run.looping.do(it.start())
    assert it.phase is Phase.STARTING
    assert run.looping.call(it.status) == []


def test_one_port_that_is_taken_and_no_route_is_installed(run):
    port, taken = free_port(), run.port("A")
    it = run.make(Wish(route("a", port, 1), route("b", taken, 1)))
    with pytest.raises(PlaneError, match=rf"b: cannot listen on 127\.0\.0\.1:{taken}"):
        run.looping.do(it.start())
    assert it.phase is Phase.STARTING
    assert not takes_clients(port)


def test_a_reload_moves_new_sessions_and_leaves_the_open_ones(run, caplog):
    moved, other = free_port(), free_port()
    wish = Wish(route("redis", moved, run.port("A")), route("other", other, run.port("A")))
    it = run.make(wish)
    run.looping.do(it.start())
    client, upstream = run.session(moved, "A")
    wish.routes = (route("redis", moved, run.port("B")), wish.routes[1])
    assert run.looping.do(it.reload())
    run.session(moved, "B")
    run.session(other, "A")
    client.sendall(b"still there")
    assert upstream.recv(100) == b"still there"
    assert events(caplog, "route_changed") == [
        f"redis  127.0.0.1:{moved} -> 127.0.0.1:{run.port('B')}  plane relay"
    ]
    assert events(caplog, "reloaded") == ["reloaded: 1 change"]


def test_a_reload_adds_and_removes(run, caplog):
    old, new = free_port(), free_port()
    wish = Wish(route("old", old, run.port("A")))
    it = run.make(wish)
    run.looping.do(it.start())
    client, upstream = run.session(old, "A")
    wish.routes = (route("new", new, run.port("A")),)
    assert run.looping.do(it.reload())
    run.session(new, "A")
    assert not takes_clients(old)
    upstream.sendall(b"still there")
    assert client.recv(100) == b"still there"
    assert events(caplog, "route_removed") == [
        f"old  127.0.0.1:{old} -> 127.0.0.1:{run.port('A')}  removed"
    ]
    assert run.looping.do(it.reload())
    assert events(caplog, "reloaded") == ["reloaded: 2 changes", "reloaded: 0 changes"]


@pytest.mark.parametrize("error", WRONG)
def test_a_source_that_fails_is_not_an_empty_source(run, error, caplog):
    port = free_port()
    wish = Wish(route("redis", port, run.port("A")))
    it = run.make(wish)
    run.looping.do(it.start())
    wish.error = error
    assert not run.looping.do(it.reload())
    assert it.phase is Phase.READY
    run.session(port, "A")
    assert events(caplog, "reload_failed") == [
        f"reload failed, everything stays as it was: {error}"
    ]
    wish.error = None
    assert run.looping.do(it.reload())


def test_a_reload_that_cannot_be_installed_changes_nothing(run, caplog):
    port = free_port()
    wish = Wish(route("redis", port, run.port("A")))
    it = run.make(wish)
    run.looping.do(it.start())
    wish.routes = (route("redis", port, run.port("B")), route("more", run.port("B"), 1))
    assert not run.looping.do(it.reload())
    run.session(port, "A")
    assert len(run.looping.call(it.status)) == 1
    assert "address already in use" in events(caplog, "reload_failed")[0]


def test_what_is_no_exception_of_ours_is_said_and_shown_and_the_next_reload_is_good(run, caplog):
    wish = Wish(route("redis", free_port(), run.port("A")))
    it = run.make(wish)
    run.looping.do(it.start())
    wish.error = RuntimeError("can't start new thread")
    with pytest.raises(RuntimeError):
        run.looping.do(it.reload())
    text = "RuntimeError: can't start new thread"
    assert [view.error for view in it.sources] == [text]
    assert events(caplog, "reload_failed") == [f"reload failed, everything stays as it was: {text}"]
    wish.error = None
    assert run.looping.do(it.reload())
    assert [view.error for view in it.sources] == [""]


def test_routes_that_are_lost_at_once_stay_until_somebody_asks(run, caplog):
    ports = [free_port() for _ in range(3)]
    wish = Wish(*(route(f"r{port}", port, run.port("A")) for port in ports))
    it = run.make(wish)
    run.looping.do(it.start())
    wish.routes = wish.routes[:1]
    assert not run.looping.do(it.reload(by_operator=False))
    assert all(map(takes_clients, ports))
    assert "2 of its 3 routes are gone at once" in events(caplog, "reload_failed")[0]
    assert run.looping.do(it.reload())
    assert [takes_clients(port) for port in ports] == [True, False, False]


def test_there_is_no_reload_before_the_start_nor_during_the_stop(run):
    wish = Wish(route("redis", free_port(), 1))
    it = run.make(wish)
    assert not run.looping.do(it.reload())
    run.looping.do(it.start())
    assert run.looping.do(it.stop(0)) == 0
    assert it.phase is Phase.STOPPING
    assert not run.looping.do(it.reload())
    assert wish.reads == 1


def test_stop_says_how_many_sessions_it_cut(run):
    port = free_port()
    it = run.make(Wish(route("redis", port, run.port("A"))))
    run.looping.do(it.start())
    for _ in range(3):
        run.session(port, "A")
    assert run.looping.do(it.stop(0.05)) == 3


def test_a_guess_is_asked_only_while_those_before_it_name_no_route():
    nothing, some = Wish(name="a"), Wish(route("redis", 6379, 1), name="b")
    more, guess = Wish(route("db", 5432, 1), name="c"), Wish(name="d", guess=True)
    desired, snapshots = read([nothing, some, more, guess])
    assert [one.name for one in desired.routes] == ["redis", "db"]
    assert [one.source for one in snapshots] == ["a", "b", "c"]
    assert guess.reads == 0
    read([nothing, guess])
    assert guess.reads == 1
