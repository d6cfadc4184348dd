import dataclasses

import pytest

from ambassador.errors import ConfigError
from ambassador.model import Endpoint, Inet, Pick, Proto, Route
from ambassador.spec import OPTIONS, format_options, parse_option
from ambassador.spec.options import applicable

ROUTE = Route("r", Inet("", 1), (Endpoint(Inet("h", 1)),))


@pytest.mark.parametrize("key", OPTIONS)
def test_each_option_is_a_field_of_the_route_and_its_example_says_something(key):
    option = OPTIONS[key]
    assert key == option.key
    assert key in {field.name for field in dataclasses.fields(Route)}
    for proto in option.protos:
        value = parse_option(key, option.example, proto)
        assert value != getattr(ROUTE, key)
        assert parse_option(key, option.format(value), proto) == value


@pytest.mark.parametrize("key", [key for key in OPTIONS if key != "listen"])
def test_each_default_of_the_table_is_the_default_of_the_route(key):
    option = OPTIONS[key]
    assert parse_option(key, option.default, option.protos[0]) == getattr(ROUTE, key)


def test_which_options_a_protocol_has():
    assert applicable(Proto.TCP) == (
        *(
            "listen",
            "peers",
            "pick",
            "resolve",
            "slow_start",
            "connect",
            "keepalive",
            "source",
            "existing",
        ),
        *("allow", "deny", "limit", "limit_client", "rate", "ban"),
        *("health", "interval", "rise", "fall", "panic", "lag"),
        *("follow", "none", "promote", "failback", "user", "password_file", "sentinel_user"),
        *("sentinel_password_file", "health_tls"),
    )
    assert applicable(Proto.UDP) == (
        *("listen", "pick", "resolve", "slow_start", "idle", "source"),
        *("allow", "deny", "limit", "limit_client", "rate", "ban"),
        *("health", "interval", "rise", "fall", "panic"),
    )


@pytest.mark.parametrize(
    ("key", "text", "proto", "what"),
    [
        ("conect", "5s", Proto.TCP, 'the option "conect" is unknown, did you mean "connect"?'),
        ("helth", "redis", Proto.TCP, 'the option "helth" is unknown, did you mean "health"?'),
        ("health", "tcp", Proto.UDP, "a UDP endpoint cannot be probed by tcp"),
        ("", "x", Proto.TCP, 'the option "" is unknown'),
        ("idle", "5s", Proto.TCP, 'the option "idle" is for UDP, the route is TCP'),
        ("connect", "5s", Proto.UDP, 'the option "connect" is for TCP, the route is UDP'),
        ("keepalive", "5s", Proto.UDP, 'the option "keepalive" is for TCP, the route is UDP'),
        ("listen", "unix:///x", Proto.UDP, "a UDP route cannot listen on a unix socket"),
        ("connect", "off", Proto.TCP, "is no duration"),
        ("connect", "0", Proto.TCP, "must be more than 0"),
        ("pick", "best", Proto.TCP, '"best" is none of the words'),
        ("listen", ":0", Proto.TCP, "the port 0 is not between 1 and 65535"),
    ],
)
def test_an_option_that_is_unknown_or_wrong_is_named(key, text, proto, what):
    with pytest.raises(ConfigError) as raised:
        parse_option(key, text, proto, "argument X")
    (problem,) = raised.value.problems
    assert problem.where == "argument X"
    assert what in problem.what
    assert problem.expected


def test_only_what_differs_from_the_default_is_written():
    assert format_options(ROUTE) == {"listen": ":1"}
    changed = dataclasses.replace(ROUTE, pick=Pick.FIRST, connect=0.5, keepalive=0)
    assert format_options(changed) == {
        "listen": ":1",
        "pick": "first",
        "connect": "500ms",
        "keepalive": "off",
    }
