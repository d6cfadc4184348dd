"""The option `health` as it is written."""

import pytest

from ambassador.errors import ConfigError
from ambassador.spec.health import PROBES, format_health, http_of, parse_count, parse_health

FORMS = [*PROBES, "off", "http:/healthz", "http:/a?b=c%20d", "http:8008/a", "redis-replica"]


@pytest.mark.parametrize("text", FORMS)
def test_each_form_is_written_back(text):
    assert format_health(parse_health(text)) == text


def test_off_is_none_and_the_root_needs_no_path():
    assert parse_health("off") == ""
    assert parse_health("http:/") == "http"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("reddis", 'did you mean "redis"?'),
        ("", "is no probe"),
        ("redis:/x", "redis takes no value"),
        ("http:healthz", "is not a path"),
        ("http:8008", "is not a path"),
        ("http:0/a", "is not a port"),
        ("http:99999/a", "is not a port"),
        ("http:/a b", "is not a path"),
        ("http:/a\r\nHost: b", "is not a path"),
    ],
)
def test_what_is_wrong_is_said(text, what):
    with pytest.raises(ConfigError, match="X: ") as caught:
        parse_health(text, "X")
    assert what in str(caught.value)


@pytest.mark.parametrize("text", ["0", "1000", "-1", "1.5", "", "\u0663"])
def test_a_number_is_one_to_999(text):
    assert parse_count("999") == 999
    with pytest.raises(ConfigError):
        parse_count(text)


def test_the_port_and_the_path_of_a_probe():
    found = [http_of(health) for health in ("http", "http:/a", "http:8008/a?b", "tcp")]
    assert found == [(0, "/"), (0, "/a"), (8008, "/a?b"), (0, "/")]
