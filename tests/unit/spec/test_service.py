"""Endpoints that stand in etcd, by the name of their service."""

import pytest

from ambassador.core.describe import describe
from ambassador.errors import ConfigError
from ambassador.sources.env import EnvironmentSource
from ambassador.sources.file import FileSource
from ambassador.spec import format_assignments
from ambassador.spec.service import is_service, parse_service

R = "REDIS_PORT_6379_TCP"


def test_a_route_may_name_a_service_in_place_of_endpoints():
    (route,) = EnvironmentSource({R: "etcd://cache", f"{R}_CONNECT": "2s"}).read().routes
    assert (route.service, route.endpoints, route.connect) == ("cache", (), 2.0)
    assert describe(route) == "redis  :6379 -> etcd://cache"
    assert format_assignments(route)[0] == f"{R}=etcd://cache"


@pytest.mark.parametrize("text", ['"etcd://cache"', '["etcd://cache"]'])
def test_a_file_may_name_one_too(tmp_path, text):
    file = tmp_path / "a.toml"
    file.write_text(f'[route.redis]\nlisten = ":6379"\nendpoints = {text}\n')
    (route,) = FileSource(file).read().routes
    assert (route.service, route.endpoints) == ("cache", ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("etcd://", "the name is missing"),
        ("etcd://a/b", "not a name of a service"),
        ("etcd://a:6379", "not a name of a service"),
        ("etcd://a,tcp://b:1", "is the only endpoint"),
        ("tcp://b:1,etcd://a", "is the only endpoint"),
    ],
)
def test_what_is_no_service_is_told_in_the_variable_and_in_the_file(tmp_path, text, words):
    assert is_service(text)
    with pytest.raises(ConfigError, match=words):
        parse_service(text)
    with pytest.raises(ConfigError) as caught:
        EnvironmentSource({R: text}).read()
    assert caught.value.problems[0].example == f"{R}=etcd://redis"
    file = tmp_path / "a.toml"
    file.write_text(f'[route.redis]\nlisten = ":6379"\nendpoints = "{text}"\n')
    with pytest.raises(ConfigError) as caught:
        FileSource(file).read()
    assert caught.value.problems[0].example == 'endpoints = ["etcd://redis"]'
