"""Wishes on disk: what is kept comes back, and a damaged file is told and left alone."""

import json
import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ambassador.core.wish import Wish
from ambassador.errors import ConfigError, StoreError
from ambassador.model import Admin, Endpoint, Existing, Fate, Hold, Inet, Proto, Route, Unix
from ambassador.sources.env import EnvironmentSource
from ambassador.store import FileStore

ADDED = Route(
    "db",
    Inet("127.0.0.1", 7000),
    (Endpoint(Inet("db1", 5432)), Endpoint(Inet("fd00::2", 5432), backup=True, weight=2)),
    existing=Existing(Fate.DRAIN, 30.0),
    alias="db",
    port=5432,
)
WISHES = (
    Wish(
        Proto.TCP,
        Inet("", 6379),
        "redis",
        "uid 0",
        1764000000.25,
        "moved to db",
        endpoints=(Endpoint(Inet("db", 6379), weight=3), Endpoint(Unix("/run/redis.sock"))),
        admin=((Inet("db", 6379), Admin.DRAIN), (Unix("/run/redis.sock"), Admin.MAINT)),
        hold=Hold(5.5, 7),
    ),
    Wish(Proto.UDP, Inet("0.0.0.0", 53), "dns", removed=True),
    Wish(Proto.TCP, ADDED.listen, "db", added=ADDED),
    Wish(Proto.TCP, Unix("/run/listen.sock"), "local", hold=Hold()),
)


def read(assignments):
    return EnvironmentSource({}, assignments).read()


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "state", read)


def test_nothing_was_ever_saved(store):
    assert store.load() == ()
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def test_what_is_saved_comes_back(store):
    store.load()
    store.save(WISHES)
    assert store.load() == WISHES
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert [path.name for path in store.path.parent.iterdir()] == ["wishes.json"]


def test_the_last_save_counts(store):
    store.load()
    store.save(WISHES)
    store.save(WISHES[1:2])
    assert store.load() == WISHES[1:2]
    store.save(())
    assert store.load() == ()


def test_a_save_that_fails_leaves_what_was(store, monkeypatch):
    store.load()
    store.save(WISHES)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"wishes\.json cannot be written: no space left"):
        store.save(())
    assert store.load() == WISHES
    assert len(list(store.path.parent.iterdir())) == 1


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made: not a directory"):
        FileStore(tmp_path / "file" / "state", read).load()


def test_a_folder_that_cannot_be_written(store, monkeypatch):
    store.load()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match=r"state: cannot be written to"):
        store.load()


def damaged(**fields):
    whole = {
        "route": "redis", "proto": "tcp", "listen": ":6379", "who": "", "when": 0, "what": "",
        "endpoints": None, "admin": {}, "hold": None, "added": None, "removed": False,
    }  # fmt: skip
    return json.dumps({"version": 1, "wishes": [{**whole, **fields}]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"version": 1}',
        '{"version": 1, "wishes": [7]}',
        '{"version": 1, "wishes": [{}]}',
        damaged(proto="sctp"),
        damaged(listen="redis"),
        damaged(listen=7),
        damaged(endpoints=["tcp://"]),
        damaged(endpoints="tcp://db:1"),
        damaged(endpoints=[]),
        damaged(admin={"tcp://db:1": "asleep"}),
        damaged(admin=[]),
        damaged(hold={"timeout": "long", "limit": 1}),
        damaged(hold={"timeout": 1, "limit": float("inf")}),
        damaged(hold={"timeout": 1, "limit": -5}),
        damaged(hold={"timeout": 0, "limit": 1}),
        damaged(hold={"timeout": float("nan"), "limit": 1}),
        damaged(when="now"),
        damaged(when=1e300),
        damaged(when=float("nan")),
        damaged(who=1),
        damaged(added=["REDIS_PORT_7000_TCP=tcp://db:1"]),
        damaged(added=["nonsense"]),
        damaged()[:-9],
    ],
    ids=range(28),
)
def test_a_damaged_file_is_named_and_left_alone(store, text):
    store.load()
    store.path.write_text(text)
    with pytest.raises(ConfigError, match=r"wishes\.json: is damaged") as caught:
        store.load()
    assert caught.value.exit_code == 2
    assert store.path.read_text() == text


def test_the_wish_that_is_damaged_here_is_else_whole(store):
    store.load()
    store.path.write_text(damaged())
    assert [wish.route for wish in store.load()] == ["redis"]


def test_a_file_of_another_version(store):
    store.load()
    store.path.write_text('{"version": 2, "wishes": []}')
    with pytest.raises(ConfigError, match="is of version 2, this program reads 1"):
        store.load()


def test_a_file_that_is_no_text(store):
    store.load()
    store.path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        store.load()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).map(lambda value: json.dumps({"version": 1, "wishes": value}).encode()))  # fmt: skip
def test_whatever_stands_there_is_read_or_told(store, content):
    store.path.parent.mkdir(exist_ok=True)
    store.path.write_bytes(content)
    try:
        store.load()
    except ConfigError as error:
        assert error.problems[0].where == str(store.path)
