"""All places together: taken before anything begins, given back in the end."""

import asyncio
import socket

import pytest

from ambassador.admin import doors as module
from ambassador.admin import locate
from ambassador.admin.doors import Doors
from ambassador.errors import RunError
from ambassador.model import Inet
from tests.ports import free_port
from tests.unit.admin.web import request


@pytest.fixture
def doors(looping, reconciler):
    doors = looping.call(Doors, reconciler)
    yield doors
    looping.do(doors.stop())


def bind(looping, doors, *places, **more):
    looping.call(lambda: doors.bind(*places, **more))


def test_every_place_is_answered_at_and_then_free_again(looping, doors, tmp_path):
    path, api, monitor = tmp_path / "admin.sock", free_port(), free_port()
    token = "0123456789abcdef"
    bind(looping, doors, str(path), {}, api=Inet("127.0.0.1", api), token=token,
         monitor=Inet("127.0.0.1", monitor))  # fmt: skip
    looping.do(doors.start())
    assert request(path, "/healthz").status == 200
    assert request(api, "/healthz").status == 401
    assert request(monitor, "/healthz").status == 200
    looping.do(doors.stop())
    assert not path.exists()
    for port in (api, monitor):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)


def test_a_place_that_is_taken_leaves_none(looping, doors, tmp_path):
    path = tmp_path / "admin.sock"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RunError, match="metrics on"):
            bind(looping, doors, str(path), {}, monitor=Inet("127.0.0.1", port))
    looping.do(doors.stop())
    assert not path.exists()


def test_the_best_place_is_taken_and_off_takes_none(looping, doors, tmp_path, monkeypatch):
    places = [tmp_path / "none" / "a" / "admin.sock", tmp_path / "b" / "admin.sock"]
    monkeypatch.setattr(module, "candidates", lambda _environ: iter(places))
    bind(looping, doors, "off", {})
    assert not places[1].exists()
    bind(looping, doors, "", {})
    looping.do(doors.start())
    assert request(places[1], "/healthz").status == 200


def test_nothing_is_imported_to_answer_before_start(looping, doors, tmp_path):
    bind(looping, doors, str(tmp_path / "admin.sock"), {})
    looping.do(asyncio.wait_for(doors.stop(), 1))


def test_a_named_one_has_a_socket_of_that_name_which_no_second_one_gets(
    looping, doors, tmp_path, monkeypatch
):
    places = [tmp_path / "b" / "admin.sock", tmp_path / "c" / "admin.sock"]
    for module_of in (module, locate):
        monkeypatch.setattr(module_of, "candidates", lambda _environ: iter(places))
    bind(looping, doors, "", {}, name="web")
    assert doors.path == tmp_path / "b" / "web.sock"
    second = looping.call(Doors, None)
    with pytest.raises(RunError, match="an ambassador called web runs here: "):
        bind(looping, second, "", {}, name="web")
    assert not (tmp_path / "c" / "web.sock").exists()


def test_a_second_one_without_a_name_says_where_it_is_asked(
    looping, doors, tmp_path, monkeypatch, caplog
):
    places = [tmp_path / "b" / "admin.sock", tmp_path / "c" / "admin.sock"]
    monkeypatch.setattr(module, "candidates", lambda _environ: iter(places))
    bind(looping, doors, "", {})
    assert "second_ambassador" not in [one.event for one in caplog.records]
    second = looping.call(Doors, None)
    bind(looping, second, "", {})
    (said,) = [one for one in caplog.records if one.event == "second_ambassador"]
    assert f"another ambassador is asked at {places[0]}; this one at {places[1]}" in said.message
    looping.do(second.stop())
