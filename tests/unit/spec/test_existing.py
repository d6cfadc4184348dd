"""The policy for open connections, as it is written."""

import pytest

from ambassador.errors import ConfigError
from ambassador.model import Existing, Fate, Proto, Route
from ambassador.spec import (
    format_assignments,
    format_existing,
    parse_existing,
    parse_option,
    parse_variable,
)
from ambassador.spec.assignment import Assignment, gather, route_of

WRITTEN = {
    "keep": Existing(),
    "drain=30s": Existing(Fate.DRAIN, seconds=30.0),
    "drain=500ms": Existing(Fate.DRAIN, seconds=0.5),
    "cut": Existing(Fate.CUT),
    "cut=50/s": Existing(Fate.CUT, rate=50),
    "cut=1000000/s": Existing(Fate.CUT, rate=1_000_000),
}


@pytest.mark.parametrize(("text", "existing"), WRITTEN.items())
def test_each_form_means_one_policy_and_is_written_back(text, existing):
    assert parse_existing(text) == existing
    assert format_existing(existing) == text


@pytest.mark.parametrize(
    ("text", "what"),
    {
        "": '"" is no policy',
        "kepe": '"kepe" is no policy, did you mean "keep"?',
        "keep=": "keep takes no value",
        "keep=5s": "keep takes no value",
        "drain": "drain needs a time",
        "drain=": "drain needs a time",
        "drain=off": "the time of drain is no duration",
        "drain=0s": "the time of drain must be more than 0",
        "drain=-1s": "the time of drain is no duration",
        "drain=400d": "the time of drain is no duration",
        "cut=": "the rate of cut must be 1/s to 1000000/s",
        "cut=50": "the rate of cut must be 1/s to 1000000/s",
        "cut=0/s": "the rate of cut must be 1/s to 1000000/s",
        "cut=1000001/s": "the rate of cut must be 1/s to 1000000/s",
        "cut=5/m": "the rate of cut must be 1/s to 1000000/s",
        "cut=٣/s": "the rate of cut must be 1/s to 1000000/s",
        "CUT": '"CUT" is no policy',
    }.items(),
)
def test_what_is_malformed_is_named(text, what):
    with pytest.raises(ConfigError) as raised:
        parse_existing(text, "environment variable REDIS_PORT_6379_TCP_EXISTING")
    (problem,) = raised.value.problems
    assert problem.where == "environment variable REDIS_PORT_6379_TCP_EXISTING"
    assert problem.what == what
    assert problem.expected == "keep, drain=DURATION, cut or cut=NUMBER/s"
    assert parse_existing(problem.example)


def test_a_companion_variable_sets_it():
    route = route_with("cut=50/s")
    assert route.existing == Existing(Fate.CUT, rate=50)
    assert "REDIS_PORT_6379_TCP_EXISTING=cut=50/s" in format_assignments(route)
    assert not any("EXISTING" in text for text in format_assignments(route_with("keep")))


def test_udp_has_no_connections_to_speak_of():
    with pytest.raises(ConfigError, match='the option "existing" is for TCP'):
        parse_option("existing", "cut", Proto.UDP)


def route_with(existing: str) -> Route:
    name = "REDIS_PORT_6379_TCP"
    pairs = {name: "tcp://192.168.1.52:6379", f"{name}_EXISTING": existing}
    (link,) = gather(Assignment(key, parse_variable(key), value) for key, value in pairs.items())
    return route_of(link)
