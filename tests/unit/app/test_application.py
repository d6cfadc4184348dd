"""The parts put together: what is read, where it can be asked, what a failed start leaves."""

import socket

import pytest

from ambassador.admin import doors
from ambassador.app import App, new_loop
from ambassador.errors import ConfigError, PlaneError, Problem, RunError
from ambassador.model import Endpoint, Inet, Route
from ambassador.settings import Settings
from tests.loops import LoopThread
from tests.ports import free_port
from tests.program import is_ready
from tests.wishes import Wish


def wish(port: int) -> Wish:
    return Wish(Route("a", Inet("127.0.0.1", port), (Endpoint(Inet("127.0.0.1", 1)),)))


@pytest.fixture(params=["uvloop", "asyncio"])
def looping(request):
    settings = Settings(loop=request.param)
    looping = LoopThread(factory=lambda: new_loop(settings))
    yield looping
    looping.close()


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Let folders of this test be the only places for an admin socket."""
    places = [tmp_path / "first" / "admin.sock", tmp_path / "second" / "admin.sock"]
    monkeypatch.setattr(doors, "candidates", lambda _environ: iter(places))
    return places


@pytest.fixture
def started(looping):
    """Start an app with settings; it ends in the end."""
    apps = []

    def start(**settings) -> App:
        apps.append(looping.call(App, Settings(**settings), [wish(free_port())]))
        looping.do(apps[-1].start())
        return apps[-1]

    yield start
    for app in apps:
        looping.do(app.stop())


def test_the_admin_socket_is_in_the_first_place_that_can_be(started, places):
    started()
    assert is_ready(places[0])
    started()  # a second ambassador of this user
    assert is_ready(places[1])


def test_a_place_that_cannot_be_written_is_passed_over(started, places):
    places[0].parent.write_text("not a folder")
    started()
    assert is_ready(places[1])


def test_without_a_place_it_runs_all_the_same_and_says_so(started, places, caplog):
    for place in places:
        place.parent.write_text("not a folder")
    app = started()
    assert app.reconciler.phase == "ready"
    (record,) = [record for record in caplog.records if record.event == "no_admin"]
    assert "no folder for it can be written" in record.getMessage()
    assert "AMBASSADOR_ADMIN=PATH" in record.getMessage()


def test_a_place_that_was_named_must_be_free(started, places, looping, tmp_path):
    named = tmp_path / "named.sock"
    started(admin=str(named))
    assert is_ready(named)
    second = looping.call(App, Settings(admin=str(named)), [wish(free_port())])
    with pytest.raises(RunError, match="another ambassador answers there"):
        looping.do(second.start())
    assert is_ready(named)
    assert not any(place.exists() for place in places)


def test_it_may_be_off(started, places):
    started(admin="off")
    assert not any(place.exists() for place in places)


@pytest.mark.parametrize("wrong", ["config", "port"])
def test_a_start_that_fails_leaves_nothing(looping, places, wrong):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = free_port()
        source = wish(port)
        if wrong == "config":
            source.error = ConfigError(Problem("X", "is wrong"))
        else:
            source.routes += wish(taken.getsockname()[1]).routes
        app = looping.call(App, Settings(), [source])
        with pytest.raises((ConfigError, PlaneError)):
            looping.do(app.start())
    assert not places[0].exists()
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", port)) != 0
