"""What ports.Source promises, of each source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ambassador.control.snapshots import _Said
from ambassador.engine.labels import LabelsSource
from ambassador.errors import ConfigError, SourceError
from ambassador.fleet.source import FleetSource
from ambassador.model import Endpoint, Inet, Proto, Route
from ambassador.sources.env import EnvironmentSource
from ambassador.sources.file import FileSource
from ambassador.sources.given import GivenSource
from ambassador.sources.hosts import HostsSource
from tests.wishes import Wish

VARIABLE = "REDIS_PORT_6379_TCP"


@dataclass
class Case:
    """A source that names the route `redis`, one that is wrong and, if it can be, one that
    cannot be asked.
    """

    good: Any
    wrong: Any = None  # where nothing can be
    named_in_the_error: str = ""
    unreachable: Any = None


def environment(_):
    return Case(
        EnvironmentSource({VARIABLE: "tcp://redis:6379", "PATH": "/bin"}),
        EnvironmentSource({VARIABLE: "tcp://:6379", "DB_PORT_5432_TCP": "http://db"}),
        VARIABLE,
    )


def arguments(_):
    return Case(
        EnvironmentSource({}, [f"{VARIABLE}=tcp://redis:6379"]),
        EnvironmentSource({}, [f"{VARIABLE}=tcp://redis"]),
        VARIABLE,
    )


def hosts(folder):
    (folder / "good").write_text("127.0.0.1 localhost\n172.17.0.2 redis 3f2a9c0d1e2f\n")
    (folder / "wrong").write_text("172.17.0.2 someone-unknown\n")
    return Case(
        HostsSource(folder / "good"),
        HostsSource(folder / "wrong"),
        "someone-unknown",
        HostsSource(folder / "none"),
    )


def file(folder):
    (folder / "good").write_text('[route.redis]\nlisten = 6379\nendpoints = "tcp://redis:6379"\n')
    (folder / "wrong").write_text('[route.redis]\nlisten = 6379\nendpoints = "tcp://redis"\n')
    return Case(
        FileSource(folder / "good"),
        FileSource(folder / "wrong"),
        f"{folder}/wrong, line 3, route.redis.endpoints",
        FileSource(folder / "none"),
    )


def wish(_):
    wrong, unreachable = Wish(), Wish()
    wrong.error = ConfigError()
    unreachable.error = SourceError("it is away")
    route = Route("redis", Inet("", 6379), (Endpoint(Inet("redis", 6379)),))
    return Case(Wish(route), wrong, "", unreachable)


def given(folder):
    case = environment(folder)
    places = {(Proto.TCP, "other"): Inet("127.0.0.1", 7000)}
    return Case(GivenSource(case.good, places), GivenSource(case.wrong, places), VARIABLE)


def fleet(folder):
    source = FleetSource()
    source.routes = wish(folder).good.read().routes
    return Case(source)


def said(folder):
    """What a source said before, while it cannot be asked."""
    return Case(_Said(wish(folder).good.read()))


SOURCES = [environment, arguments, hosts, file, wish, given, fleet, said]


@pytest.fixture(params=SOURCES, ids=lambda make: make.__name__)
def case(request, tmp_path):
    return request.param(tmp_path)


def test_its_name_is_one_short_word_and_stands_in_the_snapshot(case):
    name = case.good.name
    assert name.isidentifier()
    assert len(name) <= 12
    assert case.good.read().source == name


def test_a_snapshot_is_complete_each_time(case):
    first, second = case.good.read(), case.good.read()
    assert first == second
    assert [route.name for route in first.routes] == ["redis"]


def test_routes_are_ready_to_be_installed(case):
    (route,) = case.good.read().routes
    assert route.listen == Inet("", 6379)
    assert [endpoint.address for endpoint in route.endpoints] == [Inet("redis", 6379)]


def test_what_is_wrong_is_a_config_error_that_says_where(case):
    if case.wrong is None:
        return
    with pytest.raises(ConfigError) as caught:
        case.wrong.read()
    assert case.named_in_the_error in str(caught.value)
    with pytest.raises(ConfigError):  # and it stays wrong
        case.wrong.read()


def test_a_source_that_cannot_be_asked_is_never_an_empty_one(case):
    if case.unreachable is not None:
        with pytest.raises(SourceError, match=r"."):
            case.unreachable.read()


def test_labels_of_an_engine_that_is_not_there_are_no_empty_source(tmp_path):
    """What they say while an engine is followed: tests/unit/engine/test_labels.py."""
    source = LabelsSource(f"unix://{tmp_path}/none", {})
    assert source.name.isidentifier()
    with pytest.raises((ConfigError, SourceError), match="none"):
        source.read()
