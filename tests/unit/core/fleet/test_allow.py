"""What an ambassador lets etcd say."""

import pytest

from ambassador.core.fleet.allow import ANY, Allowed, parse_allowed
from ambassador.errors import ConfigError
from ambassador.spec import parse_endpoint


def test_a_list_has_names_and_networks_in_any_order():
    found = parse_allowed("Redis,10.0.0.0/8, db ,fd00::/8,192.168.1.7", "w")
    assert found.names == ("redis", "db")
    assert found.networks == ("10.0.0.0/8", "fd00::/8", "192.168.1.7")


@pytest.mark.parametrize("text", ["redis,,db", "re dis", "10.0.0.1/8", "10.0.0.0/99"])
def test_what_is_neither_is_told(text):
    with pytest.raises(ConfigError):
        parse_allowed(text, "w")


def test_where_nothing_is_said_anything_is_allowed():
    assert ANY.name("redis", "k") == []
    assert ANY.endpoints([parse_endpoint("tcp://db:1")], "k") == []


def test_a_name_that_is_not_in_the_list_is_a_problem():
    (problem,) = Allowed(("redis",)).name("rediz", "/k")
    assert problem.where == "/k"
    assert 'did you mean "redis"' in problem.what
    assert Allowed(("redis",)).name("REDIS", "/k") == []


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("tcp://10.1.2.3:1", True),
        ("tcp://11.1.2.3:1", False),
        ("tcp://[fd00::1]:1", True),
        ("tcp://[fe80::1]:1", False),
        ("tcp://[::ffff:10.1.2.3]:1", True),
        ("tcp://[::ffff:11.1.2.3]:1", False),
        ("tcp://db:1", False),
        ("unix:///run/a", False),
    ],
)
def test_endpoints_are_in_the_networks_or_a_problem(url, good):
    allowed = Allowed((), ("10.0.0.0/8", "fd00::/8"))
    assert (allowed.endpoints([parse_endpoint(url)], "/k") == []) is good
